"""Detects whether the ranks of a run stand still, and makes them dump their stacks.

Two equal stacks alone do not prove a hang: a rank may work in one long call, in a loop, or in a child process.  So
the ranks and their child processes are watched too.
"""

import contextlib
import json
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from repro.launch.rank_processes import ranks_of
from repro.model.observation import BetweenDumps
from repro.verdict.signature import why_active

DUMP_PAUSE_SECONDS = 3.0
"""The time between the two stack dumps, for most of which the ranks are watched."""
DUMP_WAIT_SECONDS = 5.0
"""A dump that takes longer counts as missing."""
SETTLE_SECONDS = 0.4
SAMPLE_SECONDS = 0.2
POLL_SECONDS = 0.05
LOOK_SECONDS = 1.0
"""The interval at which a running job is checked, also before the first check."""
WATCHED = "between_dumps.json"
"""The file, beside the dumps, with the activity of each rank between them."""


def dump_stacks(folder: Path) -> None:
    """Make every rank dump its Python stacks twice, some seconds apart, and record its activity between."""
    ranks = ranks_of(folder)
    _dump(folder, ranks, signal.SIGUSR1, 1)
    watched = _watch(ranks)
    until = time.monotonic() + max(0.0, DUMP_PAUSE_SECONDS - SETTLE_SECONDS)
    while time.monotonic() < until:
        time.sleep(min(SAMPLE_SECONDS, DUMP_PAUSE_SECONDS))
        for rank in watched.values():
            rank.sample()
    seen = {number: rank.facts() for number, rank in watched.items()}
    _dump(folder, ranks, signal.SIGUSR2, 2)
    content = {number: found.model_dump() for number, found in seen.items() if found is not None}
    # Exclusive: a rank may have made a pipe or a link of that name.
    with contextlib.suppress(OSError), (folder / WATCHED).open("x", encoding="utf-8") as file:
        json.dump(content, file)


class StillWatch:
    """Checks every second whether all ranks of a run stand still, and for how long."""

    def __init__(self, folder: Path, world_size: int) -> None:
        self._folder = folder
        self._world_size = world_size
        self._watched: dict[int, _Watched] = {}
        self._with_children = False
        self._next = time.monotonic() + LOOK_SECONDS
        self._seconds = 0.0

    def seconds(self) -> float:
        """The seconds since any rank was active; 0 if one works, has ended, is stopped or never started."""
        if time.monotonic() >= self._next:
            self._seconds = self._look()
            self._next = time.monotonic() + LOOK_SECONDS
        return self._seconds

    def _look(self) -> float:
        for rank in self._watched.values():
            rank.sample()
        seen = [rank.facts() for rank in self._watched.values()]
        still = bool(seen) and all(found and not found.stopped and not why_active(found) for found in seen)
        if still and self._with_children:
            return min(found.seconds for found in seen if found)
        # Finding children is slow, so they are checked only when the ranks themselves stand still.
        self._with_children = still
        ranks = ranks_of(self._folder)
        complete = ranks.keys() == set(range(self._world_size))
        self._watched = _watch(ranks, with_children=still) if complete else {}
        return 0.0


def _watch(ranks: Mapping[int, psutil.Process], *, with_children: bool = True) -> "dict[int, _Watched]":
    return {number: _Watched(process, with_children=with_children) for number, process in ranks.items()}


def _dump(folder: Path, ranks: Mapping[int, psutil.Process], number: signal.Signals, dump: int) -> None:
    """Signal the ranks, and wait until each has written its dump, but not too long."""
    for process in ranks.values():
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
    deadline = time.monotonic() + DUMP_WAIT_SECONDS
    files = [folder / f"rank{rank}.stacks{dump}" for rank in ranks]
    while time.monotonic() < deadline and not all(_size(file) for file in files):
        time.sleep(POLL_SECONDS)
    time.sleep(SETTLE_SECONDS)  # a dump is written thread by thread


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


@dataclass(frozen=True)
class _Usage:
    """The resources that a process has used since its start."""

    cpu_seconds: float
    """CPU time of all its threads, of ended children, and, if watched, of the processes below it."""
    wakeups: int | None
    """How often the main thread has gone to sleep; None if the system does not count it."""


class _Watched:
    """The activity of one rank's process from now on."""

    def __init__(self, process: psutil.Process, *, with_children: bool) -> None:
        self._process = process
        self._with_children = with_children
        self._began = time.monotonic()
        self._first = self._usage()
        self._running = 0
        self._stopped = False
        self.sample()

    def sample(self) -> None:
        """Record whether the main thread is running or stopped at this moment."""
        with contextlib.suppress(psutil.Error):
            state = self._process.status()
            self._running += state == psutil.STATUS_RUNNING
            self._stopped = self._stopped or state in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}

    def facts(self) -> BetweenDumps | None:
        """The activity so far; None if the process has ended."""
        first, last = self._first, self._usage()
        if first is None or last is None:
            return None
        counted = first.wakeups is not None and last.wakeups is not None
        return BetweenDumps(
            seconds=round(time.monotonic() - self._began, 3),
            cpu_seconds=round(max(0.0, last.cpu_seconds - first.cpu_seconds), 3),
            wakeups=(last.wakeups or 0) - (first.wakeups or 0) if counted else None,
            running=self._running,
            stopped=self._stopped,
        )

    def _usage(self) -> _Usage | None:
        try:
            cpu = sum(self._process.cpu_times()[:4])
            status = Path(f"/proc/{self._process.pid}/status")
            lines = status.read_text(encoding="utf-8", errors="replace").splitlines() if psutil.LINUX else []
        except (psutil.Error, OSError):
            return None
        if self._with_children:
            cpu += _cpu_below(self._process)
        counts = [line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches:")]
        return _Usage(cpu, int(counts[0]) if counts else None)


def _cpu_below(process: psutil.Process) -> float:
    """The CPU seconds of all descendants of a process."""
    used = 0.0
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                used += sum(child.cpu_times()[:4])
    return used
