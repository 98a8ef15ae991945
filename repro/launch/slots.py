"""Shares the cores of this machine among ranks, across all processes that use the same cache.

One slot is one rank.  A run takes a slot for each rank, all at once, and returns them when it ends.  The locks are
the kernel's, so a killed process returns them too.
"""

import os
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import BaseFileLock, FileLock, Timeout

from repro.launch.cores import usable_cores
from repro.model.errors import EnvironmentFailure, UsageError

POLL_SECONDS = 0.1
RANKS = "REPRO_RANKS"
"""The variable that limits the number of ranks that run at once."""


def rank_limit() -> int:
    """The number of ranks that may run at once: ``REPRO_RANKS``, else the cores that this process may use."""
    given = os.environ.get("REPRO_RANKS")
    if given is None:
        return usable_cores()
    if not given.isdecimal() or int(given) < 1:
        raise UsageError(f"REPRO_RANKS: a number of ranks is expected, not {given!r}")
    return int(given)


def of_this_host(folder: Path) -> Path:
    """This host's own subfolder: nodes of a cluster may share a cache, but not cores or devices.

    A Slurm job has cores and devices of its own, also beside other jobs on its node.
    """
    job = os.environ.get("SLURM_JOB_ID", "")
    name = f"host-{platform.node()}" + (f"-job-{job}" if job else "")
    return folder / re.sub(r"[^A-Za-z0-9.-]", "_", name)


@contextmanager
def gather(folder: Path, names: Sequence[str], count: int, stop: threading.Event) -> Iterator[tuple[str, ...]]:
    """Wait until ``count`` of these names are locked, and yield them; fewer once ``stop`` is set."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        mine: list[str] = []
        # One process gathers until it has all; otherwise runs with one rank would always overtake those with two.
        with _gathering(folder, stop):
            while len(mine) < count and not stop.is_set():
                for name, lock in _free(folder, [name for name in names if name not in mine], count - len(mine)):
                    held.callback(lock.release)
                    mine.append(name)
                if len(mine) < count:
                    time.sleep(POLL_SECONDS)
        yield tuple(sorted(mine, key=list(names).index))


@contextmanager
def _gathering(folder: Path, stop: threading.Event) -> Iterator[None]:
    """Let only one run gather at a time, since two that hold half each would wait forever; in the order of arrival."""
    lock = FileLock(folder / "gather.lock", thread_local=False)
    with _ticket(folder / "queue") as ticket:
        while not stop.is_set():
            if not _is_first(ticket):
                time.sleep(POLL_SECONDS)
                continue
            try:
                lock.acquire(timeout=POLL_SECONDS, poll_interval=POLL_SECONDS)
                break
            except Timeout:
                continue
        try:
            yield
        finally:
            lock.release()


@contextmanager
def _ticket(queue: Path) -> Iterator[Path]:
    """A file whose name says when its run came; it is locked as long as the run waits."""
    queue.mkdir(parents=True, exist_ok=True)
    ticket = queue / f"{time.monotonic_ns():020}-{os.getpid()}-{threading.get_ident()}.lock"
    lock = FileLock(ticket, thread_local=False)
    lock.acquire()
    try:
        yield ticket
    finally:
        ticket.unlink(missing_ok=True)
        lock.release()


def _is_first(ticket: Path) -> bool:
    """True if nobody who came earlier still waits; a ticket that nobody locks is of a killed process.

    This only orders the runs: a ticket that is lost costs its turn, and the lock above still lets one gather at a time.
    """
    for earlier in sorted(ticket.parent.iterdir()):
        if earlier.name >= ticket.name:
            break
        lock = FileLock(earlier, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        earlier.unlink(missing_ok=True)
        lock.release()
    return True


def _free(folder: Path, names: Sequence[str], most: int) -> list[tuple[str, BaseFileLock]]:
    """Lock up to ``most`` free names."""
    taken: list[tuple[str, BaseFileLock]] = []
    for name in names:
        if len(taken) == most:
            break
        lock = FileLock(folder / f"{name}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        taken.append((name, lock))
    return taken


def any_taken(cache: Path) -> bool:
    """True if a run holds a slot of this cache now; asks the kernel, and takes no lock itself.

    False where the kernel does not list its locks.
    """
    try:
        listed = Path("/proc/locks").read_text(encoding="utf-8")
        ours = {str(file.stat().st_ino) for file in of_this_host(cache / "slots").glob("slot*.lock")}
    except OSError:
        return False
    # ``1: FLOCK  ADVISORY  WRITE 716 fe:00:4524914 0 EOF``
    return any(":" in word and word.rpartition(":")[2] in ours for line in listed.splitlines() for word in line.split())


@dataclass(frozen=True)
class Slots:
    """The slots of this machine."""

    folder: Path
    limit: int

    @classmethod
    def here(cls, cache: Path) -> Self:
        """The slots of this host; raises UsageError if the limit is not a number."""
        return cls(of_this_host(cache / "slots"), rank_limit())

    @contextmanager
    def take(self, ranks: int, stop: threading.Event) -> Iterator[Callable[[], None]]:
        """Wait for a slot for each rank; returns at once when ``stop`` is set.

        Yields a function that returns the slots early, for a run that only waits.
        Raises EnvironmentFailure if there can never be enough.
        """
        if ranks > self.limit:
            raise EnvironmentFailure(
                f"needs {ranks} ranks at once, the limit here is {self.limit}; set REPRO_RANKS={ranks} to allow it"
            )
        with ExitStack() as held:
            held.enter_context(gather(self.folder, [f"slot{slot}" for slot in range(self.limit)], ranks, stop))
            yield held.close
