"""The models of ``pack.json``, which lists the contents of a pack."""

import hashlib
from typing import Literal

from repro.model.base import FileName, Strict

FORMAT: Literal[1] = 1
PACK_FILE = "pack.json"
WHEELS = "wheels"


class Wheel(Strict):
    """One file below ``wheels/``."""

    file: FileName
    distribution: str
    version: str
    sha256: str


class PackedEnvironment(Strict):
    """The wheels that turn an interpreter with torch into an environment of ``matrix.yaml``."""

    lock: str
    """SHA-256 of the lock that was packed."""
    wheels: tuple[str, ...]
    """Files below ``wheels/``."""
    left: dict[str, str]
    """Pinned distributions for which the base interpreter has its own version: torch and its dependencies."""


class Pack(Strict):
    """The whole pack."""

    format: Literal[1] = FORMAT
    python: str
    """``3.12``: the only release line that the wheels fit."""
    platform: str
    wheels: tuple[Wheel, ...]
    harness: tuple[str, ...]
    """Files below ``wheels/`` that the harness itself needs; no rank ever sees them."""
    project: str
    """SHA-256 of ``project.zip``, the harness."""
    tests: str | None = None
    """SHA-256 of ``tests.zip``, the tests of failures, for which ``harness`` includes pytest; None without tests."""
    environments: dict[FileName, PackedEnvironment]

    def wheels_of(self, name: str) -> tuple[Wheel, ...]:
        """The wheels of a packed environment, by name."""
        chosen = set(self.environments[name].wheels)
        return tuple(sorted((wheel for wheel in self.wheels if wheel.file in chosen), key=lambda wheel: wheel.file))

    def digest_of(self, name: str) -> str:
        """SHA-256 over the names and the contents of an environment's wheels."""
        lines = "".join(f"{wheel.file} {wheel.sha256}\n" for wheel in self.wheels_of(name))
        return hashlib.sha256(lines.encode()).hexdigest()
