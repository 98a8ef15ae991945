"""Runs the cells of one Slurm job, on its first node.  Judges nothing for others: it leaves observations and events."""

import os
import signal
import tempfile
from dataclasses import replace
from pathlib import Path
from types import FrameType

from repro.catalog.project import Project
from repro.environments.locks import parse_lock
from repro.launch.run_cell import torchrun
from repro.launch.session import Options, Session
from repro.launch.slurm.hosts import across, allocated_hosts
from repro.launch.slurm.spool import STORE, BatchFile, NodeEvent, append_event, read_batch
from repro.model.cell import Cell
from repro.model.errors import ReproError
from repro.store.observations import Store
from repro.verdict.result import Result


class _Reporter:
    """Appends what happens to the events of the job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def progress(self, text: str) -> None:
        append_event(self._folder, NodeEvent(event="progress", text=text))

    def started(self, cell: Cell) -> None:
        append_event(self._folder, NodeEvent(event="started", cell=cell.label))

    def finished(self, result: Result) -> None:
        ids = tuple(observation.id for observation in result.observations)
        found = NodeEvent(event="finished", cell=result.cell.label, observations=ids, reused=result.reused)
        append_event(self._folder, found)

    def skipped(self, cell: Cell, reason: str) -> None:
        append_event(self._folder, NodeEvent(event="skipped", cell=cell.label, text=reason))


def run_batch(place: str) -> None:
    """Run what ``batch.json`` in this folder says; a job that is cancelled ends its ranks first."""
    # submitit ignores SIGTERM, and sends a job back to the queue at SIGUSR2.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, _stop)
    folder = Path(place)
    batch = read_batch(folder)
    try:
        session = _session(folder, batch)
        session.run(batch.cells)
    except ReproError as error:
        append_event(folder, NodeEvent(event="ended", text=str(error)))
        raise SystemExit(error.exit_code) from None
    append_event(folder, NodeEvent(event="ended"))


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _session(folder: Path, batch: BatchFile) -> Session:
    project = replace(Project.here(catalog=Path(batch.catalog) if batch.catalog else None), cache=Path(batch.cache))
    held = {name: (lock.environment, parse_lock(lock.text)) for name, lock in batch.held.items()}
    if held:
        project = project.holding(held)
    options = Options(
        repeat=batch.repeat,
        timeout=batch.timeout,
        warm=batch.warm and batch.nodes == 1,
        fresh=batch.fresh,
        confirm=batch.confirm,
        full_deadline=batch.full_deadline,
    )
    hosts = allocated_hosts(os.environ) if batch.nodes > 1 else ()
    if hosts:
        # Ranks on all nodes write into the folder of the run.
        shared = folder / "tmp"
        shared.mkdir()
        tempfile.tempdir = str(shared)
    return Session(
        project,
        Store(folder / STORE),
        options,
        _Reporter(folder),
        earlier=Store(Path(batch.data)),
        cold=across(hosts) if hosts else torchrun,
        hosts=max(1, len(hosts)),
        id=batch.run,
    )
