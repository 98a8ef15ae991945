"""The process that makes one spare, keeps it ready, hands it to one command, and ends with that command.

It is started by a command at its end, in a session of its own.  It waits until no run holds a slot, makes the family
and the imports that it was ordered (one spare at a time, the first rank before the others), and listens on a socket.
It cannot take a lower priority meanwhile: the ranks would inherit it, and an ordinary user cannot take it back.

It is asked to end by SIGTERM or SIGHUP.  It also ends after some idle minutes, with the leader of the user's login
session, and when its folder or the environment is gone.  Once a command has taken the spare, none of these counts: the
spare is the command's own, and the connection with the command says when it ends.  The zygotes' keepers are this
process's children, so that its own death, by SIGKILL too, ends them.
"""

import contextlib
import os
import select
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from filelock import BaseFileLock, Timeout

from repro.launch.slots import any_taken
from repro.launch.spares.handover import (
    REQUEST_BYTES,
    HandoverError,
    imports_of,
    most_branches,
    request_of,
    send_family,
)
from repro.launch.spares.kind import MISSING, kind_of, looked_at_again, our_code, process_state, stamp
from repro.launch.spares.memory import free_memory, have_room, held_by
from repro.launch.spares.order import ORDER_BYTES, Order, start_of
from repro.launch.spares.place import (
    MAX_SPARES,
    ListedSpare,
    SparePhase,
    SparesFolder,
    is_of_this_user,
    name_of,
)
from repro.launch.warm import Family, Start, StartedRoots, WarmError, start_family
from repro.model.errors import EnvironmentFailure

CLIENT_SECONDS = 2.0
"""A client that has said nothing whole by then is left."""
MAX_CLIENTS = 8
WATCH_SECONDS = 1.0
POLL_SECONDS = 0.2
ASKED = (signal.SIGTERM, signal.SIGHUP)


@dataclass
class Client:
    """A connection that may become a request."""

    deadline: float
    received: bytes = b""


@dataclass(frozen=True)
class Loaded:
    """What a spare has loaded beside the files of its environment, and what its processes inherited."""

    libraries: tuple[Path, ...]
    stamps: tuple[str, ...]
    state: tuple[str, ...]

    @classmethod
    def by(cls, family: Family) -> "Loaded":
        """By the processes of a family, as of now; raises OSError."""
        libraries = tuple(mapped_files(pids_of(family)))
        return cls(libraries, tuple(stamp(file) for file in libraries), tuple(process_state()))

    @property
    def is_current(self) -> bool:
        """False once one of the files was changed, replaced or removed, or this process was moved or limited."""
        now = tuple(stamp(file) for file in self.libraries)
        return (
            now == self.stamps
            and not any(found.endswith(MISSING) for found in now)
            and self.state == tuple(process_state())
        )


@dataclass
class Holder:
    """One spare from its order to its end."""

    order: Order
    folder: SparesFolder
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when it must end; looked at until a command takes the spare."""
    deadline: float | None = None
    """When it has waited long enough, for other runs or for a command; None while it is made."""

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.order.idle_seconds
        self._start = start_of(self.order)
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._name = ""
        self._loaded: Loaded | None = None

    def ask_to_end(self, *_: object) -> None:
        """Make it end soon, from any thread or a signal."""
        self.stop.set()
        with contextlib.suppress(OSError):
            self._wake.send(b".")

    def live(self) -> None:
        """Make the spare, keep it and hand it over."""
        start = looked_at_again(self._start)
        kind = kind_of(start)
        if kind is None or not (listener := self._join(kind)):
            return
        threading.Thread(target=self._watch, daemon=True).start()
        family: Family | None = None
        lease: socket.socket | None = None
        try:
            with listener:
                family = self._made(start, kind)
                if family is not None:
                    lease = self._taken(family, kind, listener)
            if lease is not None:
                _wait_for_the_end(lease)
        finally:
            if family is not None:
                family.close()
            self.folder.remove(self._name)
            # The command sees the end of the connection when this process has ended.
            os._exit(0)

    def _join(self, kind: str) -> socket.socket | None:
        """Listen, as one of a limited number of spares; None if there is one of this kind already."""
        self._name = name_of(our_code(), kind, os.getpid(), SparePhase.WAITING)
        with self.folder.locked():
            alive = [spare for spare in self.folder.listed() if _answers(self.folder, spare)]
            own = name_of(our_code(), kind, 0, SparePhase.WAITING).rpartition("-")[0]
            if any(f"{spare.code}-{spare.kind}" == own for spare in alive):
                return None
            for oldest in alive[: max(0, len(alive) + 1 - MAX_SPARES)]:
                self.folder.end(oldest)
            return self.folder.bind(self._name)

    def _move_to(self, phase: SparePhase) -> None:
        new = f"{self._name.rpartition('.')[0]}.{phase}"
        self.folder.rename(self._name, new)
        self._name = new

    def _watch(self) -> None:
        """Ask to end once the session's leader has ended, the time is over, or the folder or environment is gone."""
        needed = [Path(self.order.executable), Path(self.order.prefix)]
        while not self.stop.is_set():
            ended, _, _ = select.select([self.order.leader], [], [], WATCH_SECONDS)
            until = self.deadline
            late = until is not None and time.monotonic() > until
            if ended or late or self.folder.is_gone or not all(path.exists() for path in needed):
                self.ask_to_end()

    def _made(self, start: Start, kind: str) -> Family | None:
        """The family with the imports that were ordered; None if it must not be used."""
        making = self.folder.making
        while any_taken(Path(self.order.cache)) or not _acquired(making):
            if self.stop.wait(POLL_SECONDS):
                return None
        try:
            self.deadline = None
            self._move_to(SparePhase.MAKING)
            family = start_family(start, self.stop, first_alone=True)
            try:
                if self._grown(family) and kind_of(looked_at_again(start)) == kind and self._have_room(family):
                    self._loaded = Loaded.by(family)
                    self._move_to(SparePhase.READY)
                    self.deadline = time.monotonic() + self.order.idle_seconds
                    return family
            except BaseException:
                family.close()
                raise
            family.close()
        except (OSError, WarmError):
            return None  # a command that starts the same family is told why
        finally:
            making.release()
        return None

    def _grown(self, family: Family) -> bool:
        """Make the imports; those that cannot be made ahead are left out, as in a command.  False if it must end."""
        for imports in self.order.imports:
            on_the_way = sum(1 for _, name in imports if name is None) + 1
            if len(family.branches) + on_the_way <= most_branches(self.order.world_size):
                with contextlib.suppress(WarmError):
                    family.branch(imports_of(imports), self.stop)
        return family.is_alive

    def _have_room(self, family: Family) -> bool:
        """Whether this spare may stay; older ones are ended first."""
        own = held_by(pids_of(family))
        others = [
            spare for spare in self.folder.listed() if spare.name != self._name and spare.phase is SparePhase.READY
        ]
        while not have_room(own + held_by(spare.pid for spare in others), free_memory()):
            if not others:
                return False
            self.folder.end(others.pop(0))
        return True

    def _taken(self, family: Family, kind: str, listener: socket.socket) -> socket.socket | None:
        """Wait for a command, and hand the spare to it; None if it must end before one comes."""
        listener.setblocking(False)
        roots = [os.pidfd_open(pid) for pid in pids_of(family)]
        clients: dict[socket.socket, Client] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            for root in roots:
                selector.register(root, selectors.EVENT_READ)
            try:
                while not self.stop.is_set() and family.is_alive:
                    ready = selector.select(CLIENT_SECONDS if clients else None)
                    for client in [key.fileobj for key, _ in ready if key.fileobj in clients]:
                        assert isinstance(client, socket.socket)  # noqa: S101 - the keys of clients are
                        line = _line(client, clients[client])
                        if line is None:
                            continue
                        selector.unregister(client)
                        del clients[client]
                        if _asks_for(line, kind) and self._hand_over(family, client):
                            return client
                        client.close()
                    if any(key.fileobj is listener for key, _ in ready):
                        _accept(listener, clients, selector)
                    for client in [held for held, waiting in clients.items() if time.monotonic() > waiting.deadline]:
                        selector.unregister(client)
                        del clients[client]
                        client.close()
                return None
            finally:
                for client in clients:
                    client.close()
                for root in roots:
                    os.close(root)

    def _hand_over(self, family: Family, client: socket.socket) -> bool:
        """Give the family's sockets away; False if it must end instead, or the command cannot take them.

        A socket that is gone while its process lives tells others that the spare is a command's.
        """
        if self._loaded is None or not self._loaded.is_current:
            self.stop.set()
        signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
        if self.stop.is_set():
            return False
        self.folder.remove(self._name)
        try:
            client.settimeout(CLIENT_SECONDS)
            send_family(client, family, pids_of(family))
        except OSError:
            self.stop.set()
            return False
        for connections in family.branches.values():
            for connection in connections:
                connection.socket.close()
        return True


def _wait_for_the_end(lease: socket.socket) -> None:
    """Wait until the command that took the spare closes its connection, or has ended."""
    lease.settimeout(None)
    with contextlib.suppress(OSError):
        while lease.recv(REQUEST_BYTES):
            pass


def _acquired(lock: BaseFileLock) -> bool:
    with contextlib.suppress(Timeout):
        lock.acquire(blocking=False)
        return True
    return False


def _answers(folder: SparesFolder, spare: ListedSpare) -> bool:
    """Whether a spare's process lives; the socket of one that was killed is removed."""
    connection = folder.connect(spare.name)
    if connection is not None:
        connection.close()
    return connection is not None


def _accept(listener: socket.socket, clients: dict[socket.socket, Client], selector: selectors.BaseSelector) -> None:
    """Take a new connection, if it is of this user and there are not too many."""
    with contextlib.suppress(OSError):
        client, _ = listener.accept()
        if len(clients) >= MAX_CLIENTS or not is_of_this_user(client):
            client.close()
            return
        client.setblocking(False)
        clients[client] = Client(time.monotonic() + CLIENT_SECONDS)
        selector.register(client, selectors.EVENT_READ)


def _line(client: socket.socket, waiting: Client) -> bytes | None:
    """What a client has said: None if more may come, nothing if it is no request."""
    try:
        part = client.recv(REQUEST_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    waiting.received += part
    if not part or len(waiting.received) > REQUEST_BYTES:
        return b""
    return waiting.received if waiting.received.endswith(b"\n") else None


def _asks_for(line: bytes, kind: str) -> bool:
    try:
        return request_of(line).take == kind
    except HandoverError:
        return False


def pids_of(family: Family) -> list[int]:
    """The processes of a family's roots."""
    assert isinstance(family.roots, StartedRoots)  # noqa: S101 - this process has started them
    return [process.pid for process in family.roots.processes]


def mapped_files(roots: Sequence[int]) -> list[Path]:
    """The files that these processes and all below them have mapped: libraries, also of the system."""
    found = set()
    for root in roots:
        for process in psutil.Process(root).children(recursive=True):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{process.pid}/maps").read_text(errors="replace").splitlines():
                    _, slash, path = line.partition("/")
                    if slash and not path.startswith(("dev/", "memfd:", "SYSV")):
                        found.add(f"/{path}")
    return [Path(path) for path in sorted(found)]


def main() -> None:
    """Read an order from standard input, and live as it says."""
    order = Order.model_validate_json(sys.stdin.buffer.read(ORDER_BYTES))
    try:
        folder = SparesFolder.of(Path(order.cache))
    except EnvironmentFailure:
        return
    if folder is None:
        return
    holder = Holder(order, folder)
    signal.signal(signal.SIGTERM, holder.ask_to_end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup; the zygotes inherit that
        signal.signal(signal.SIGHUP, holder.ask_to_end)
    holder.live()
