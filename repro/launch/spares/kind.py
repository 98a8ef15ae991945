"""The kind of a family of warm processes: a digest of all that decides what a run that is forked from it does.

A spare was started by an earlier command.  It serves only where its kind is that of the family that the command would
start now: then both have the same interpreter, files, variables, code of ours, and the same state of the process that
starts them.  So it makes no difference which of them a run is forked from, and the launcher key of stored runs, which
names the code of the zygote, holds for both.  What is random in each process (its hash seed, the state of the
generators, the port) is new in a spare too, since it has served no run.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from repro.environments.interpreter import FileState, Interpreter
from repro.environments.verify import state_of_files
from repro.files import LAUNCHER, PACKAGE
from repro.launch.job import rank_variables
from repro.launch.spares.place import has_spares
from repro.launch.warm import Start
from repro.model.failure import Lane
from repro.store.recipe import environment_key

FRESH_SECONDS = 5.0
"""A state of files that was seen longer ago is looked up again."""
STATUS = frozenset(
    {
        *("Uid", "Gid", "Groups", "Umask", "SigIgn", "NoNewPrivs", "Seccomp", "THP_enabled"),
        *("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Cpus_allowed", "Mems_allowed"),
    }
)
"""What children inherit of the lines of ``/proc/self/status``."""
INHERITED = ("limits", "cgroup", "oom_score_adj", "personality", "coredump_filter", "attr/current")
"""What children inherit of the other files of ``/proc/self``."""
MISSING = " is missing"
BETWEEN_RUNS = ("HOME", "TMPDIR")
"""Variables that hold a folder of the family's own."""


def may_be_spare(start: Start) -> bool:
    """Whether a spare may serve in place of the family that ``start`` begins.

    None may in the CUDA lane, where libraries look at devices, and for an interpreter that we did not build: nobody
    verifies its files, so that a change in place would not be seen.
    """
    interpreter = start.interpreter
    ours = not interpreter.adopted and not interpreter.overlay and interpreter.state is not None
    return has_spares() and ours and len(interpreter.libraries) == 1 and start.lane is Lane.CPU and not start.devices


def kind_of(start: Start) -> str | None:
    """The kind of the family that ``start`` begins in a child of this process; None where no spare may serve."""
    interpreter = start.interpreter
    state = fresh_state(interpreter) if may_be_spare(start) else None
    if state is None:
        return None
    try:
        facts = {
            "code": our_code(),
            "harness": [sys.executable, sys.version],
            "interpreter": [str(interpreter.executable), *_stamps(_files_of(interpreter))],
            "environment": [environment_key(interpreter.installed), state.digest],
            "start": [start.world_size, start.gates, start.variables],
            "modules": [str(start.modules or ""), *_stamps(_below(start.modules))],
            "variables": sorted(
                item for item in rank_variables(start.lane, Path(), interpreter).items() if item[0] not in BETWEEN_RUNS
            ),
            "process": process_state(),
        }
    except OSError:
        return None
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def fresh_state(interpreter: Interpreter) -> FileState | None:
    """The state of an interpreter's files as of now; None if there is none or it is damaged."""
    state = interpreter.state
    if state is None:
        return None
    if time.monotonic() < state.seen + FRESH_SECONDS:
        return state
    return state_of_files(Path(interpreter.libraries[0]))


def looked_at_again(start: Start) -> Start:
    """The same start, with the state of its files as of now."""
    (site,) = start.interpreter.libraries
    return replace(start, interpreter=replace(start.interpreter, state=state_of_files(Path(site))))


@cache
def our_code() -> str:
    """SHA-256 of our code that starts, keeps and hands over warm processes."""
    digest = hashlib.sha256()
    for file in sorted((*LAUNCHER.rglob("*.py"), *(PACKAGE / "environments").glob("*.py"), PACKAGE / "files.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(PACKAGE)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def process_state() -> list[str]:
    """What a child inherits from this process beside its variables; raises OSError where that cannot be read."""
    own = Path("/proc/self")
    status = (own / "status").read_text(encoding="utf-8").splitlines()
    system = os.uname()
    scheduled = (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
    return [
        *(line for line in status if line.partition(":")[0] in STATUS),
        *(f"{name}: {_text(own / name)}" for name in INHERITED),
        *(f"{link.name}: {os.readlink(link)}" for link in sorted((own / "ns").iterdir())),  # noqa: PTH115 - no path
        f"root: {os.readlink(own / 'root')}",  # noqa: PTH115
        f"scheduled: {scheduled}",
        f"system: {system.nodename} {system.release} {system.version}",
    ]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # a kernel without this
        return ""


def _files_of(interpreter: Interpreter) -> Iterator[Path]:
    """The interpreter itself, its configuration and its standard library, whose modules stand side by side."""
    yield interpreter.executable.resolve()
    yield Path(interpreter.prefix) / "pyvenv.cfg"
    for folder in interpreter.stdlib:
        with os.scandir(folder) as found:
            yield from sorted(Path(entry.path) for entry in found if entry.is_file())


def _below(folder: Path | None) -> Iterator[Path]:
    """The files in a folder of modules."""
    for place, folders, names in os.walk(folder) if folder else ():
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(place, name) for name in sorted(names))


def _stamps(files: Iterator[Path]) -> list[str]:
    """The path, size, time and inode of each file; one that is missing has none."""
    return [stamp(file) for file in files]


def stamp(file: Path) -> str:
    """The path, size, time and inode of a file."""
    try:
        found = file.stat()
    except OSError:
        return f"{file}{MISSING}"
    return f"{file} {found.st_size} {found.st_mtime_ns} {found.st_dev} {found.st_ino}"
