"""What the tests of spares share: an environment without torch, runs in it, and their processes."""

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from repro.environments.interpreter import Interpreter
from repro.environments.verify import state_of_files
from repro.launch.guard import Limits
from repro.launch.job import applicable_gates
from repro.launch.run_cell import run_cell
from repro.launch.spares.client import CommandSpares
from repro.launch.spares.place import ListedSpare, SparePhase, SparesFolder
from repro.launch.warm import Start, WarmLauncher
from repro.model.failure import Lane
from repro.model.observation import Observation
from tests.unit.factories import cell, entry
from tests.unit.launch.fake import environment
from tests.unit.launch.ranks import wait_for

LIGHTNING = "import os\n__version__ = '2.2.1'\nPID = os.getpid()\n"
"""Tells a run which process imported it."""
SHOWS = """
import json
import os
import random
import sys
import lightning
import torch
print("measured modules =", json.dumps(list(sys.modules)))
print("measured made_by =", json.dumps([lightning.PID, os.getpid()]))
print("measured hash =", json.dumps(hash("a text")))
print("measured drawn =", json.dumps(random.random()))
print("oracle passed: yes")
"""


def built(root: Path, lightning: str = LIGHTNING, files: Mapping[str, str] | None = None) -> Interpreter:
    """The fake environment as one that we built: its files are listed, and their state is known.

    ``files`` are further ones of torch or lightning, or others in place of those.
    """
    made = environment(root, lightning=lightning)
    (site,) = (Path(path) for path in made.libraries)
    for file, text in (files or {}).items():
        (site / file).write_text(text)
    for name, version in (("torch", "2.2.2"), ("lightning", "2.2.1")):
        rows = [
            f"{file.relative_to(site)},sha256=x,{file.stat().st_size}" for file in sorted((site / name).rglob("*.py"))
        ]
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "RECORD").write_text("\n".join([*rows, f"{name}-{version}.dist-info/RECORD,,"]) + "\n")
    return replace(made, prefix=str(root), state=state_of_files(site))


def start_in(interpreter: Interpreter, **changes: Any) -> Start:
    """What a run of ``run`` starts in this environment."""
    gates = applicable_gates(Lane.CPU, interpreter)
    facts: dict[str, Any] = {"lane": Lane.CPU, "interpreter": interpreter, "world_size": 2, "gates": gates}
    return Start(**facts | {"modules": None} | changes)


def run(
    root: Path, interpreter: Interpreter, spares: CommandSpares | None, script: str = SHOWS, **how: Any
) -> Observation:
    """One command with one run."""
    held = entry(Path(tempfile.mkdtemp(prefix="failure-", dir=root)), script=script)
    limits = Limits(how.pop("timeout", 60))
    with WarmLauncher(spares=spares) as launcher:
        return run_cell(cell(**how), held, interpreter, run="x", limits=limits, launch=launcher.run)


def listed(cache: Path) -> list[ListedSpare]:
    folder = SparesFolder.of(cache, make=False)
    if folder is None:
        return []
    try:
        return folder.listed()
    finally:
        folder.close()


def ready(cache: Path) -> list[ListedSpare]:
    return [spare for spare in listed(cache) if spare.phase is SparePhase.READY]


def wait_until_ready(cache: Path, spares: CommandSpares) -> ListedSpare:
    """The spare that a command has ordered, once it is ready."""

    def settled() -> bool:
        assert any(process.poll() is None for process in spares.ordered), "no spare was made"
        return bool(ready(cache))

    wait_for(settled, 60)
    return ready(cache)[0]


def ordered_spare(cache: Path, spares: CommandSpares, interpreter: Interpreter) -> ListedSpare:
    """A spare with torch, once it is ready."""
    spares.used(start_in(interpreter), (("torch", None),))
    spares.order()
    return wait_until_ready(cache, spares)


def below(pid: int) -> set[int]:
    """The processes below one."""
    return {process.pid for process in psutil.Process(pid).children(recursive=True)}


def left(root: Path) -> list[int]:
    """The processes whose command line names something in a folder, as those of families do."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(root) in word for word in process.cmdline()):
                found.append(process.pid)
    return found


@contextlib.contextmanager
def a_leader() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the leader of a login session, until the test ends it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


NEVER = threading.Event()
