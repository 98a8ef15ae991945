"""Runs one cell under torchrun and returns the observation.  It judges nothing."""

import hashlib
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from repro.catalog.loading import Entry
from repro.catalog.records import Lane
from repro.cell import Cell
from repro.environments.interpreter import Interpreter
from repro.launch.collecting import collect_ranks, launcher_tail
from repro.launch.folders import make_folder
from repro.launch.hardware import CudaStack, hardware
from repro.launch.job import BOOTSTRAP, GATES, HERE, Job, prepare
from repro.launch.layout import Layout
from repro.launch.processes import Ended, run_tree
from repro.observation import Installed, Observation


def _named(installed: Installed, distributions: Sequence[str]) -> Installed:
    """What is installed, with the modules of those distributions only that the record speaks of."""
    modules = {name: installed.modules[name] for name in distributions if name in installed.modules}
    return installed.model_copy(update={"modules": modules})


LauncherName = Literal["torchrun", "warm"]
Launch = Callable[[Job, threading.Event], tuple[Ended, LauncherName]]
"""Runs a job until it ends or the event is set; says how it ended and what ran it."""


def torchrun(job: Job, stop: threading.Event) -> tuple[Ended, LauncherName]:
    """Run a job under torchrun of the environment under test."""
    return run_tree(job.agents, job.folder, job.timeout, stop), "torchrun"


@cache
def _content(file: Path, _modified: int) -> bytes:
    """A source's bytes: a report asks for the recipes of hundreds of cells that share a few files."""
    return file.read_bytes()


def recipe_of(cell: Cell, entry: Entry, environment_key: str) -> str:
    """SHA-256 of all that determines a run: its sources, the environment's lock, the cell."""
    sources = [entry.script, BOOTSTRAP]
    if cell.lane is Lane.CPU:
        sources.append(GATES)
    if cell.backport:
        sources.append(entry.backport_file(cell.backport))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(_content(source, source.stat().st_mtime_ns))
        digest.update(b"\0")
    # One node, as nearly all runs have, is not named: keys from before there were several hold.
    left_out = {"environment"} if cell.nodes > 1 else {"environment", "nodes"}
    digest.update(environment_key.encode() + b"\0" + cell.model_dump_json(exclude=left_out).encode())
    return digest.hexdigest()


def environment_key(installed: Installed) -> str:
    """The lock's digest; for an existing interpreter, its version, its distributions, and what is laid over it."""
    if installed.lock:
        return installed.lock
    held = "".join(f"{name}=={version}\n" for name, version in sorted(installed.distributions.items()))
    overlay = installed.overlay.digest if installed.overlay else ""
    return hashlib.sha256(f"{installed.implementation} {installed.python}\n{held}{overlay}".encode()).hexdigest()


def new_id(recipe: str) -> str:
    """A unique id for an observation of that recipe."""
    return f"{recipe[:12]}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def not_run(cell: Cell, run: str, recipe: str, reason: str, timeout: int = 0) -> Observation:
    """The observation of a cell whose ranks could not be started, with the reason in one line."""
    return Observation(
        id=new_id(recipe),
        recipe=recipe,
        run=run,
        cell=cell,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        launcher="none",
        timeout=timeout,
        fault=reason,
        hardware=hardware(),
    )


def run_cell(
    cell: Cell,
    entry: Entry,
    interpreter: Interpreter,
    *,
    run: str,
    timeout: int | None = None,
    stop: threading.Event | None = None,
    launch: Launch = torchrun,
    devices: Sequence[str] = (),
    stack: CudaStack | None = None,
) -> Observation:
    """Start the ranks of a cell, wait for them, and say what they did.

    ``timeout`` is wall-clock seconds, the record's by default; ``devices`` are the run's own CUDA devices, and
    ``stack`` what is known of them.  Whatever goes wrong on our side
    becomes the observation's ``fault``.
    """
    seconds = timeout or entry.failure.timeout
    recipe = recipe_of(cell, entry, environment_key(interpreter.installed))
    try:
        folder = make_folder()
    except OSError as error:
        return not_run(cell, run, recipe, f"no temporary folder: {error.strerror}", seconds)
    started = time.time()
    try:
        job = prepare(cell, entry, interpreter, folder, seconds, devices=devices)
        ended, launcher = launch(job, stop or threading.Event())
        layout = Layout.of(interpreter, str(entry.script.resolve()), str(HERE), str(folder))
        return Observation(
            id=new_id(recipe),
            recipe=recipe,
            run=run,
            cell=cell,
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            seconds=round(ended.seconds, 3),
            launcher=launcher,
            launcher_code=ended.code,
            launcher_tail=launcher_tail(folder, layout),
            timeout=seconds,
            deadline_passed=ended.deadline_passed,
            fault="interrupted" if ended.interrupted else None,
            installed=_named(interpreter.installed, entry.failure.distributions),
            hardware=hardware().model_copy(update={"cuda": stack.cuda, "nccl": stack.nccl} if stack else {}),
            ranks=collect_ranks(folder, cell.world_size, layout, started),
        )
    except OSError as error:
        return not_run(cell, run, recipe, f"the run could not be started: {error}", seconds)
    except (ValueError, LookupError, TypeError, subprocess.SubprocessError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return not_run(cell, run, recipe, f"what the run left could not be read: {reason}", seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
