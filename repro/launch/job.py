"""Prepares a run: its folder, the bootstrap's job file, the command, and the variables of the ranks."""

import json
import os
import shutil
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.catalog.catalog import Entry
from repro.environments.interpreter import Interpreter, overlay_variables
from repro.files import BOOTSTRAP, GATES, SPAWNED
from repro.launch import gates
from repro.launch.processes import Command
from repro.model.cell import Cell, variables_of
from repro.model.failure import Lane
from repro.model.rank_launcher import RankLauncher
from repro.model.script_failure import ScriptFailure
from repro.model.specifiers import covers

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 15
"""How long a failed rank waits before it ends, so that other ranks can fail by themselves."""

# The only variables of this process that ranks see; docs/records.md lists them for users.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TZ")
PASSED_ON_CUDA = ("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES")
PREFIXES_CUDA = ("NCCL_", "NVSHMEM_", "TORCH_SYMM_MEM_")


@dataclass(frozen=True)
class Job:
    """A run that is ready to start."""

    cell: Cell
    entry: Entry
    interpreter: Interpreter
    folder: Path
    script: Path
    """The script that the ranks run."""
    flags: tuple[str, ...]
    agents: tuple[Command, ...]
    """The commands of the launcher: one, or a torchrun agent for each node."""
    devices: tuple[str, ...] = ()
    """The run's own CUDA devices; empty in the CPU lane."""

    @property
    def launcher(self) -> RankLauncher:
        """How its ranks start."""
        return self.entry.failure.launcher(self.cell.factors)


def applicable_gates(lane: Lane, interpreter: Interpreter) -> tuple[str, ...]:
    """The gates that the CPU lane lifts for the installed releases."""
    if lane is not Lane.CPU:
        return ()
    versions = interpreter.installed.distributions
    return tuple(gate.name for gate in gates.GATES if covers(gate.releases, versions))


def flags(cell: Cell, entry: Entry) -> tuple[str, ...]:
    """The flags of changed factors; for a user's script, its arguments."""
    if isinstance(entry.failure, ScriptFailure):
        return entry.failure.arguments
    named = [(name, value) for name, value in cell.factors.items() if name in entry.failure.flags]
    return tuple(part for name, value in named for part in (f"--{name}", value))


def torchrun_command(python: Path, world_size: int) -> tuple[str, ...]:
    """The torchrun command of the environment under test: on this host only, on a free port."""
    return (
        str(python), "-m", "torch.distributed.run", "--standalone", "--local-addr", LOOPBACK,
        "--nproc-per-node", str(world_size),
    )  # fmt: skip


def agent_command(python: Path, cell: Cell, endpoint: str, run: str) -> tuple[str, ...]:
    """The torchrun command of one of several nodes; the first agent opens the rendezvous ``endpoint``."""
    return (
        str(python), "-m", "torch.distributed.run", "--nnodes", str(cell.nodes),
        "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", run, "--local-addr", LOOPBACK,
        "--nproc-per-node", str(cell.world_size // cell.nodes),
    )  # fmt: skip


def accelerate_command(python: Path, launcher: RankLauncher, cell: Cell, entry: Entry) -> tuple[str, ...]:
    """The ``accelerate launch`` command; its configuration says how many ranks there are, unless the cell changes it.

    Each run has a port of its own, since several share this host.
    """
    ranks = () if cell.world_size == entry.failure.needs.world_size else ("--num_processes", str(cell.world_size))
    config = (entry.folder / launcher.config).resolve()
    return (
        str(python), "-m", "accelerate.commands.launch", "--config_file", str(config),
        "--main_process_port", str(free_port()), *ranks, *launcher.arguments,
    )  # fmt: skip


def spawning_command(python: Path, folder: Path) -> tuple[str, ...]:
    """The command of a script that spawns its ranks; what observes them lies where they can import it."""
    place = folder / "observer"
    place.mkdir()
    shutil.copyfile(SPAWNED, place / "_repro_spawned.py")
    return (str(python), str(place / "_repro_spawned.py"))


def free_port() -> int:
    """A free port of this host."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port: int = found.getsockname()[1]
        return port


def divided(devices: Sequence[str], nodes: int) -> list[Sequence[str]]:
    """Divide the devices among the nodes, as if these were separate machines; without devices, each has none."""
    share = len(devices) // nodes
    return [devices[node * share : (node + 1) * share] for node in range(nodes)]


def rank_variables(lane: Lane, folder: Path, interpreter: Interpreter, devices: Sequence[str] = ()) -> dict[str, str]:
    """The variables of the ranks: those of this process on an allow-list, and those that isolate a run.

    Ranks write nothing into an adopted interpreter, and find the user's site-packages although HOME is changed.
    ``devices`` are the CUDA devices of the run; if empty, the ranks see those of the harness.
    """
    names = [*PASSED_ON, *(PASSED_ON_CUDA if lane is Lane.CUDA else ())]
    prefixes = PREFIXES_CUDA if lane is Lane.CUDA else ()
    kept = {
        name: value for name, value in os.environ.items() if name in names or (prefixes and name.startswith(prefixes))
    }
    own = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        # pyarrow's allocator starts a thread as it is imported, and a process with threads cannot be forked.
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "HF_HUB_OFFLINE": "1",
    }
    if lane is Lane.CPU:
        own["CUDA_VISIBLE_DEVICES"] = ""
    elif devices:
        # Our indices are in the order of nvidia-smi, not sorted by speed.
        own |= {"CUDA_VISIBLE_DEVICES": ",".join(devices), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if interpreter.adopted:
        own["PYTHONDONTWRITEBYTECODE"] = "1"
    if interpreter.adopted and interpreter.user_base:
        own["PYTHONUSERBASE"] = interpreter.user_base
    else:
        own["PYTHONNOUSERSITE"] = "1"
    return kept | own | overlay_variables(interpreter.overlay)


def placed_script(entry: Entry, folder: Path) -> Path:
    """The script to run: the failure's own file, or a user's script in a fresh copy of its folder.

    The copy is the working directory of the ranks, so that a script finds the files beside it, and what it writes
    there does not affect other runs.
    """
    if not isinstance(entry.failure, ScriptFailure):
        return entry.script.resolve()
    shutil.copytree(entry.folder, folder, symlinks=True, dirs_exist_ok=True)
    return folder / entry.script.name


def _launcher_words(cell: Cell, entry: Entry, python: Path, folder: Path) -> tuple[str, ...]:
    """The launcher's command, with the file that observes the ranks in the place of the script."""
    launcher = entry.failure.launcher(cell.factors)
    if launcher.program == "accelerate":
        return (*accelerate_command(python, launcher, cell, entry), str(BOOTSTRAP))
    if launcher.program == "python":
        return spawning_command(python, folder)
    command = torchrun_command(python, cell.world_size)
    if cell.nodes > 1:
        command = agent_command(python, cell, f"{LOOPBACK}:{free_port()}", uuid.uuid4().hex[:12])
    # Without "--", torchrun refuses flags of the script that abbreviate two of its own, such as --monitor.
    return (*command, "--", str(BOOTSTRAP))


def prepare(
    cell: Cell,
    entry: Entry,
    interpreter: Interpreter,
    folder: Path,
    *,
    devices: Sequence[str] = (),
    stage_flags: tuple[str, ...] = (),
) -> Job:
    """Write the bootstrap's job file into the run's folder, and return the job to start.

    ``stage_flags`` tell a script with stages which one this is; they stand before those of the factors.
    """
    given_flags = (*stage_flags, *flags(cell, entry))
    script = placed_script(entry, folder)
    backport = str(entry.backport_file(cell.backport).resolve()) if cell.backport else None
    job = {
        "folder": str(folder),
        "script": str(script),
        "gates": applicable_gates(cell.lane, interpreter),
        "gates_file": str(GATES),
        "backport": backport,
        "grace": GRACE_SECONDS,
        "bootstrap": str(BOOTSTRAP),
        "world_size": cell.world_size,
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    given = {**entry.variables, **variables_of(entry.failure, cell)}
    words = (*_launcher_words(cell, entry, interpreter.executable, folder), str(file), *given_flags)
    return Job(
        cell=cell,
        entry=entry,
        interpreter=interpreter,
        folder=folder,
        script=script,
        flags=given_flags,
        agents=tuple(
            Command(words, {**rank_variables(cell.lane, folder, interpreter, own), **given})
            for own in divided(devices, cell.nodes)
        ),
        devices=tuple(devices),
    )
