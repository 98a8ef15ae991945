"""Describes the machine of the runs, without identifying it."""

import json
import os
import platform
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from repro.environments.interpreter import Interpreter, ask, clean_environment, overlay_variables
from repro.launch.devices import ask_driver
from repro.model.errors import EnvironmentFailure
from repro.model.observation import Hardware

_STACK = """
import json, torch
nccl = torch.cuda.nccl.version() if torch.cuda.is_available() and torch.distributed.is_nccl_available() else None
print(json.dumps({"devices": torch.cuda.device_count() if torch.cuda.is_available() else 0,
                  "cuda": torch.version.cuda, "nccl": nccl and ".".join(str(part) for part in nccl)}))
"""
_ASKING = threading.Lock()


@dataclass(frozen=True)
class CudaStack:
    """The CUDA stack of an interpreter's torch."""

    cuda: str | None
    nccl: str | None


def cuda_stack(interpreter: Interpreter) -> CudaStack:
    """The CUDA and NCCL of an interpreter's torch; asked once for each process.

    Raises EnvironmentFailure if its torch sees no device, since its ranks would silently run on the CPU.
    """
    with _ASKING:
        return _cuda_stack(interpreter.executable, interpreter.overlay)


@cache
def _cuda_stack(executable: Path, overlay: Path | None) -> CudaStack:
    answer = ask(executable, _STACK, clean_environment() | overlay_variables(overlay))
    try:
        facts = json.loads(answer.splitlines()[-1])
    except (ValueError, IndexError):
        raise EnvironmentFailure(f"torch of {executable.name}: its answer cannot be read: {answer[-200:]!r}") from None
    if not facts.get("devices"):
        raise EnvironmentFailure(f"torch of {executable.name} sees no CUDA device (built for CUDA {facts.get('cuda')})")
    return CudaStack(facts.get("cuda"), facts.get("nccl"))


@cache
def hardware() -> Hardware:
    """The system, processor family, cores, memory, accelerators and their driver."""
    devices = ask_driver("name", "driver_version") or []
    return Hardware(
        system=platform.system(),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        accelerators=tuple(name for name, _ in devices),
        driver=devices[0][1] if devices else None,
    )
