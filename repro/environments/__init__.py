"""Environments under test: built from a lock with uv, or adopted as they are."""

from repro.environments.building import DiskUse, Environments, Place, broken, disk_use
from repro.environments.interpreter import Interpreter, probe
from repro.environments.locks import Lock
from repro.environments.resolving import resolve

__all__ = [
    "DiskUse",
    "Environments",
    "Interpreter",
    "Lock",
    "Place",
    "broken",
    "disk_use",
    "probe",
    "resolve",
]
