"""Starts ranks, watches deadlines, collects observations."""

from repro.launch.hardware import cuda_stack, hardware
from repro.launch.running import Launch, environment_key, not_run, recipe_of, run_cell, torchrun
from repro.launch.warm import WarmLauncher

__all__ = [
    "Launch",
    "WarmLauncher",
    "cuda_stack",
    "environment_key",
    "hardware",
    "not_run",
    "recipe_of",
    "run_cell",
    "torchrun",
]
