"""Runs one cell and returns the observation, without judging it."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
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
from repro.launch.stages import SHARED, Interpreters, StageJob, jobs_of, keep_shared
from repro.model.cell import Cell
from repro.model.deadline import deadline_of
from repro.model.observation import Installed, Observation, Rank, StageRun
from repro.model.rank_launcher import ColdLauncher
from repro.store.recipe import launcher_key, recipe_of


def _named(installed: Installed, distributions: Sequence[str]) -> Installed:
    """The installed distributions, with the modules only of those that the record names."""
    modules = {name: installed.modules[name] for name in distributions if name in installed.modules}
    return installed.model_copy(update={"modules": modules})


LauncherName = ColdLauncher | Literal["warm"]
Launch = Callable[[Job, Limits], tuple[Ended, LauncherName]]
"""Runs a job until it ends or reaches a limit; returns how it ended and which launcher ran it."""


def torchrun(job: Job, limits: Limits) -> tuple[Ended, LauncherName]:
    """Run a job under torchrun of the environment under test, or under the launcher that the record names.

    It always gets its full time, since published findings about hangs are based on such runs.
    """
    return run_tree(job.agents, job.folder, job.cell.world_size, limits.to_the_deadline()), job.launcher.program


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


@dataclass(frozen=True)
class _Ran:
    """One job of a run, when it has ended."""

    job: StageJob
    ended: Ended
    launcher: LauncherName
    timeout: int
    tail: str
    ranks: tuple[Rank, ...]

    @property
    def went_well(self) -> bool:
        """True if the next stage can begin; whether it did what it should is judged later."""
        ended = self.ended
        broken = ended.deadline_passed or ended.interrupted or ended.fault or ended.stood_still is not None
        return ended.code == 0 and not broken

    def cores(self, usable: int) -> int | None:
        """The cores of the run where it had more ranks."""
        return usable if self.job.cell.world_size > usable else None

    @property
    def fault(self) -> str | None:
        """Why it was broken off."""
        return "interrupted" if self.ended.interrupted else self.ended.fault

    def as_stage(self, usable: int) -> StageRun:
        """What is stored of a stage that others followed."""
        return StageRun(
            name=self.job.cell.stage,
            seconds=round(self.ended.seconds, 3),
            launcher=self.launcher,
            launcher_key=launcher_key(self.launcher),
            launcher_code=self.ended.code,
            launcher_tail=self.tail,
            timeout=self.timeout,
            cores=self.cores(usable),
            deadline_passed=self.ended.deadline_passed,
            stood_still=self.ended.stood_still,
            fault=self.fault,
            ranks=self.ranks,
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
    roles: Mapping[str, Interpreter] | None = None,
    hosts: int = 1,
) -> Observation:
    """Start the ranks of a cell, wait for them, and return what they did.

    ``devices`` are the run's own CUDA devices, and ``stack`` what is known of them.  Whatever goes wrong on our side
    becomes the observation's ``fault``.  The stages of a record run one after another; one that does not end well is
    the last.  ``roles`` are the interpreters of the roles that ``cell.roles`` names.  ``hosts`` are the machines that
    ``launch`` divides the ranks among, each with as many cores as this one.
    """
    interpreters = Interpreters(interpreter, roles or {})
    seconds, cores = int(limits.timeout), usable_cores() * hosts
    # The time limit from the record and this machine's cores is not part of the recipe.
    asked = None if seconds == deadline_of(entry.failure, cell, cores) else seconds
    recipe = recipe_of(cell, entry, interpreters.key, asked)
    try:
        folder = make_folder()
    except OSError as error:
        return not_run(cell, run, recipe, f"no temporary folder: {error.strerror}", seconds)
    started = time.time()
    earlier: list[_Ran] = []
    try:
        jobs = jobs_of(entry.failure, cell, interpreters)
        if len(jobs) > 1:
            (folder / SHARED).mkdir()
        for job in jobs:
            if earlier:
                keep_shared(folder)
            timeout = asked or deadline_of(entry.failure, job.cell, cores, job.timeout)
            last = _run_job(job, entry, folder, replace(limits, timeout=timeout), launch, devices)
            if job is jobs[-1] or not last.went_well:
                break
            earlier.append(last)
        return Observation(
            id=new_id(recipe),
            recipe=recipe,
            run=run,
            cell=cell,
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            seconds=round(sum(part.ended.seconds for part in (*earlier, last)), 3),
            launcher=last.launcher,
            launcher_key=launcher_key(last.launcher),
            launcher_code=last.ended.code,
            launcher_tail=last.tail,
            timeout=last.timeout if len(jobs) > 1 else seconds,
            cores=last.cores(cores),
            hosts=hosts,
            deadline_passed=last.ended.deadline_passed,
            stood_still=last.ended.stood_still,
            fault=last.fault,
            installed=_named(interpreters.installed, entry.failure.concerns),
            hardware=hardware().model_copy(update={"cuda": stack.cuda, "nccl": stack.nccl} if stack else {}),
            ranks=last.ranks,
            stage=last.job.cell.stage,
            earlier=tuple(part.as_stage(cores) for part in earlier),
            roles={role: _named(held, entry.failure.concerns) for role, held in interpreters.installed_by_role.items()},
        )
    except OSError as error:
        return not_run(cell, run, recipe, f"the run could not be started: {error}", seconds)
    except (ValueError, LookupError, TypeError, RecursionError, MemoryError, subprocess.SubprocessError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return not_run(cell, run, recipe, f"what the run left could not be read: {reason}", seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_job(  # noqa: PLR0917 - the parts of one job
    job: StageJob, entry: Entry, folder: Path, limits: Limits, launch: Launch, devices: Sequence[str]
) -> _Ran:
    """Run one job to its end and read what its ranks left."""
    started = time.time()
    prepared = prepare(job.cell, entry, job.interpreter, folder, devices=devices, stage_flags=job.flags(folder))
    ended, launcher = launch(prepared, limits)
    layout = Layout.of(job.interpreter, str(prepared.script), str(LAUNCHER), str(folder))
    return _Ran(
        job=job,
        ended=ended,
        launcher=launcher,
        timeout=int(limits.timeout),
        tail=launcher_tail(folder, layout),
        ranks=collect_ranks(folder, job.cell.world_size, layout, started),
    )
