"""A command's side of spares: it takes those that it can use, and orders others at its end."""

import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from repro.launch import rank_processes
from repro.launch.first_imports import Import
from repro.launch.processes import TERM_GRACE_SECONDS
from repro.launch.spares.handover import HandoverError, Request, imports_of, receive_family, words
from repro.launch.spares.kind import kind_of, may_be_spare, our_code
from repro.launch.spares.order import command_of, order_of
from repro.launch.spares.place import MAX_SPARES, SparePhase, SparesFolder, has_spares, name_of
from repro.launch.warm import Connection, Family, Start
from repro.model.errors import EnvironmentFailure, UsageError

KEEP_WARM = "REPRO_KEEP_WARM"
"""The variable that states how many idle minutes a spare is kept."""
MOST_MINUTES = 1440
TAKE_SECONDS = 2.0
"""A spare that is ready and does not answer in this time is left."""
LEAVE_SECONDS = 5.0


def minutes_of(option: int | None) -> int:
    """How many idle minutes spares are kept: the option's, else those of ``REPRO_KEEP_WARM``, else 0 for no spares.

    Raises UsageError if that is no number of minutes.
    """
    given = os.environ.get(KEEP_WARM, "0") if option is None else str(option)
    if not given.isascii() or not given.isdecimal() or int(given) > MOST_MINUTES:
        name = KEEP_WARM if option is None else "--keep-warm"
        raise UsageError(f"{name}: a number of minutes from 0 to {MOST_MINUTES} is expected, not {given!r}")
    return int(given)


@dataclass
class TakenRoots:
    """The roots of a spare: another process has started them, and ends with the connection."""

    pids: tuple[int, ...]
    processes: list[int]
    """A descriptor of each."""
    lease: socket.socket

    def __post_init__(self) -> None:
        rank_processes.TAKEN.update(self.pids)

    @property
    def are_alive(self) -> bool:
        return bool(self.processes) and not select.select(self.processes, [], [], 0)[0]

    def end(self) -> None:
        for number, seconds in ((signal.SIGTERM, TERM_GRACE_SECONDS), (signal.SIGKILL, TERM_GRACE_SECONDS)):
            for process in self.processes:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, number)
            if all(select.select([process], [], [], seconds)[0] for process in self.processes):
                break
        for process in self.processes:
            os.close(process)
        self.processes.clear()
        rank_processes.TAKEN.difference_update(self.pids)
        # Its holder has nothing left to end, and ends; nothing of this command outlives it.
        with self.lease, suppress(OSError):
            self.lease.shutdown(socket.SHUT_WR)
            self.lease.settimeout(LEAVE_SECONDS)
            self.lease.recv(1)


@dataclass
class CommandSpares:
    """The spares of one command; see ``repro.launch.warm.SpareFamilies``."""

    cache: Path
    minutes: int
    report: Callable[[str], None] = lambda _: None
    """Takes a line for people where spares cannot be used at all."""
    leader: int = field(default_factory=lambda: os.getsid(0))
    """The process that leads the user's login session: spares end with it."""
    _used: dict[tuple[object, ...], tuple[Start, list[tuple[Import, ...]]]] = field(default_factory=dict)
    """What this command used, the last one last."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reported: set[str] = field(default_factory=set)
    ordered: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The processes that were started for later commands."""

    def take(self, start: Start, stop: threading.Event) -> Family | None:
        """A spare of the same kind as the family that ``start`` begins; it is this command's from now on."""
        kind = kind_of(start)
        folder = self._folder(make=False) if kind else None
        if kind is None or folder is None:
            return None
        try:
            return self._taken(folder, kind, start, stop)
        finally:
            folder.close()

    def _taken(self, folder: SparesFolder, kind: str, start: Start, stop: threading.Event) -> Family | None:
        ours = name_of(our_code(), kind, 0, SparePhase.READY).split("-")[:2]
        for spare in folder.listed():
            if spare.code != ours[0] or (spare.kind == ours[1] and spare.phase is SparePhase.MAKING):
                # One of another version serves nobody here.  One that is not ready would cost this command's cores:
                # it makes its own, and orders another one.
                process = folder.ask_to_end(spare)
                if process is not None:
                    os.close(process)
            elif spare.kind == ours[1] and spare.phase is SparePhase.READY:
                connection = folder.connect(spare.name)
                family = _received(connection, kind, start, stop) if connection else None
                if family is not None:
                    return family
        return None

    def used(self, start: Start, imports: tuple[Import, ...]) -> None:
        """Note what a run of this command was forked from."""
        with self._lock:
            _, made = self._used.pop(start.key, (start, []))
            # The last ones first: a spare has no room for any number of branches.
            self._used[start.key] = start, [imports, *(other for other in made if other != imports)]

    def order(self) -> None:
        """Order a spare of each kind that this command used last; to be called when all its runs have ended."""
        with self._lock:
            wanted = list(self._used.values())[-MAX_SPARES:]
            self._used.clear()
        folder = self._folder(make=True) if wanted else None
        if folder is None:
            return
        folder.close()
        with _opened(self.leader) as leader:
            for start, imports in wanted:
                if leader is not None and may_be_spare(start):
                    self._order(start, imports, leader)

    def _order(self, start: Start, imports: list[tuple[Import, ...]], leader: int) -> None:
        order = order_of(start, imports, self.cache, leader, 60.0 * self.minutes)
        # A file, so that this command does not wait until it is read.
        with tempfile.TemporaryFile() as given, suppress(OSError):
            given.write(order.model_dump_json().encode())
            given.seek(0)
            self.ordered.append(
                subprocess.Popen(
                    command_of(order),
                    cwd="/",
                    stdin=given,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[leader],
                    start_new_session=True,
                )
            )

    def _folder(self, *, make: bool) -> SparesFolder | None:
        try:
            return SparesFolder.of(self.cache, make=make)
        except EnvironmentFailure as error:
            if str(error) not in self._reported:
                self._reported.add(str(error))
                self.report(str(error))
            return None


@contextmanager
def keep_warm(cache: Path, minutes: int, report: Callable[[str], None]) -> Iterator[CommandSpares | None]:
    """The spares of a command whose runs are in this context; orders others at its end.  None for no minutes."""
    if not minutes or not has_spares():
        yield None
        return
    spares = CommandSpares(cache, minutes, report)
    yield spares
    spares.order()


@contextmanager
def _opened(leader: int) -> Iterator[int | None]:
    """A descriptor of the leader of a login session; None if it is this command or has ended."""
    try:
        process = os.pidfd_open(leader) if leader not in {0, os.getpid()} else None
    except OSError:
        process = None
    try:
        yield process
    finally:
        if process is not None:
            os.close(process)


def _received(connection: socket.socket, kind: str, start: Start, stop: threading.Event) -> Family | None:
    """Ask for a spare; None if it is not this command's after all."""
    try:
        connection.settimeout(TAKE_SECONDS)
        connection.sendall(words(Request(take=kind)))
        handed, processes, rows = receive_family(connection, start.world_size)
    except (HandoverError, OSError):
        connection.close()
        return None
    branches: dict[tuple[Import, ...], list[Connection]] = {
        imports_of(branch): row for branch, row in zip(handed.branches, rows, strict=True)
    }
    return Family(start.key, Path(handed.folder), TakenRoots(handed.roots, processes, connection), branches, stop)
