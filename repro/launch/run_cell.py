"""Runs one cell and returns the observation, without judging it."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from repro.catalog.catalog import Entry
from repro.environments.interpreter import Interpreter
from repro.files import LAUNCHER
from repro.launch.collect import collect_ranks, launcher_tail
from repro.launch.cores import usable_cores
from repro.launch.folders import make_folder
from repro.launch.guard import Ended, Limits
from repro.launch.hardware import CudaStack, hardware
from repro.launch.job import Job, prepare
from repro.launch.paths import Layout
from repro.launch.processes import run_tree
from repro.model.cell import Cell
from repro.model.deadline import deadline_of
from repro.model.observation import Installed, Observation
from repro.store.recipe import environment_key, launcher_key, recipe_of


def _named(installed: Installed, distributions: Sequence[str]) -> Installed:
    """The installed distributions, with the modules only of those that the record names."""
    modules = {name: installed.modules[name] for name in distributions if name in installed.modules}
    return installed.model_copy(update={"modules": modules})


LauncherName = Literal["torchrun", "warm"]
Launch = Callable[[Job, Limits], tuple[Ended, LauncherName]]
"""Runs a job until it ends or reaches a limit; returns how it ended and which launcher ran it."""


def torchrun(job: Job, limits: Limits) -> tuple[Ended, LauncherName]:
    """Run a job under torchrun of the environment under test.

    It always gets its full time, since published findings about hangs are based on such runs.
    """
    return run_tree(job.agents, job.folder, job.cell.world_size, limits.to_the_deadline()), "torchrun"


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
    limits: Limits,
    launch: Launch = torchrun,
    devices: Sequence[str] = (),
    stack: CudaStack | None = None,
) -> Observation:
    """Start the ranks of a cell, wait for them, and return what they did.

    ``devices`` are the run's own CUDA devices, and ``stack`` describes them.  Any error on our side becomes the
    observation's ``fault``.
    """
    seconds, cores = int(limits.timeout), usable_cores()
    # The time limit from the record and this machine's cores is not part of the recipe.
    asked = None if seconds == deadline_of(entry.failure, cell, cores) else seconds
    recipe = recipe_of(cell, entry, environment_key(interpreter.installed), asked)
    try:
        folder = make_folder()
    except OSError as error:
        return not_run(cell, run, recipe, f"no temporary folder: {error.strerror}", seconds)
    started = time.time()
    try:
        job = prepare(cell, entry, interpreter, folder, devices=devices)
        ended, launcher = launch(job, limits)
        layout = Layout.of(interpreter, str(job.script), str(LAUNCHER), str(folder))
        return Observation(
            id=new_id(recipe),
            recipe=recipe,
            run=run,
            cell=cell,
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            seconds=round(ended.seconds, 3),
            launcher=launcher,
            launcher_key=launcher_key(launcher),
            launcher_code=ended.code,
            launcher_tail=launcher_tail(folder, layout),
            timeout=seconds,
            cores=cores if cell.world_size > cores else None,
            deadline_passed=ended.deadline_passed,
            stood_still=ended.stood_still,
            fault="interrupted" if ended.interrupted else ended.fault,
            installed=_named(interpreter.installed, entry.failure.distributions),
            hardware=hardware().model_copy(update={"cuda": stack.cuda, "nccl": stack.nccl} if stack else {}),
            ranks=collect_ranks(folder, cell.world_size, layout, started),
        )
    except OSError as error:
        return not_run(cell, run, recipe, f"the run could not be started: {error}", seconds)
    except (ValueError, LookupError, TypeError, RecursionError, MemoryError, subprocess.SubprocessError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return not_run(cell, run, recipe, f"what the run left could not be read: {reason}", seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
