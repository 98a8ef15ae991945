"""Assigns CUDA devices to runs, exclusively, across all processes of a host that use the same cache.

torch is not imported here; the devices are listed by the driver's tool, or by the device files.
"""

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from repro.launch.slots import gather, of_this_host
from repro.model.errors import EnvironmentFailure

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DEVICE_FILE = re.compile(r"nvidia(\d+)$")


DRIVER_SECONDS = 20


def ask_driver(*facts: str) -> list[list[str]] | None:
    """Facts of each device, such as ``name``, in bus order; None without a driver."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(facts)}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=DRIVER_SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return [[cell.strip() for cell in line.split(",")] for line in answer.splitlines() if line.strip()]


def installed_devices(files: Path = Path("/dev")) -> tuple[str, ...]:
    """The indices of this machine's devices, in bus order; empty without a driver."""
    devices = ask_driver("index")
    if devices is None:
        found = (_DEVICE_FILE.match(path.name) for path in files.glob("nvidia*"))
        return tuple(str(index) for index in sorted(int(match[1]) for match in found if match))
    return tuple(index for (index,) in devices if index.isdecimal())


def usable_devices(installed: tuple[str, ...], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The devices that ``CUDA_VISIBLE_DEVICES`` allows, by index or UUID.  Pure.

    The rules are CUDA's: an empty value hides all devices, and an invalid entry hides itself and all that follow.
    """
    if not installed or VISIBLE not in variables:
        return installed
    chosen: list[str] = []
    for entry in variables[VISIBLE].split(","):
        name = entry.strip()
        if name.isdecimal() and name not in installed:
            break
        if not name.isdecimal() and not name.startswith(("GPU-", "MIG-")):
            break
        chosen.append(name)
    return tuple(dict.fromkeys(chosen))


@dataclass(frozen=True)
class Devices:
    """The devices of this machine."""

    folder: Path
    names: tuple[str, ...]

    @classmethod
    def here(cls, folder: Path) -> "Devices":
        return cls(of_this_host(folder), usable_devices(installed_devices(), os.environ))

    def lack(self, ranks: int) -> str | None:
        """Why a run can never have a device for each rank, or None.  NCCL refuses two ranks on one device."""
        if ranks <= len(self.names):
            return None
        hidden = f" ({VISIBLE}={os.environ[VISIBLE]})" if VISIBLE in os.environ else ""
        return f"needs {ranks} CUDA device{'s' if ranks > 1 else ''}, found {len(self.names)}{hidden}"

    @contextmanager
    def take(self, ranks: int, stop: threading.Event) -> Iterator[tuple[str, ...]]:
        """Wait for one device for each rank and hold them; empty once ``stop`` is set.

        Raises EnvironmentFailure if there can never be enough.
        """
        lacking = self.lack(ranks)
        if lacking:
            raise EnvironmentFailure(lacking)
        with gather(self.folder, self.names, ranks, stop) as taken:
            yield taken
