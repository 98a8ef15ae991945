"""The machine that runs happen on, described without naming it."""

import os
import platform
import subprocess
from functools import cache

import psutil

from repro.observation import Hardware


@cache
def hardware() -> Hardware:
    """System, processor family, cores, memory, accelerators and their driver."""
    devices, driver = _accelerators()
    return Hardware(
        system=platform.system(),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        accelerators=devices,
        driver=driver,
    )


def _accelerators() -> tuple[tuple[str, ...], str | None]:
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return (), None
    rows = [line.split(", ") for line in answer.strip().splitlines()]
    return tuple(row[0] for row in rows), rows[0][1] if rows else None
