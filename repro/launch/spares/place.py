"""The folder of a user's spares, and how their processes are found, asked to end, and told from those of others.

Each spare listens on a socket of its own, whose name says what it is.  The folder belongs to the user alone (mode
0700) and is used through a descriptor, so that it can be nobody else's later, and a long path is no limit.  Both ends
of a connection ask the kernel for the user of the other one.
"""

import errno
import os
import re
import signal
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from select import select
from typing import Self

from filelock import FileLock

from repro.launch.slots import of_this_host
from repro.model.errors import EnvironmentFailure

LABEL = "spare"
"""Marks the command line of a process that keeps a spare; what it keeps follows."""
MAX_SPARES = 4
BACKLOG = 16
CONNECT_SECONDS = 2.0
END_SECONDS = 20.0
"""A spare that was asked to end is killed after this time; its keepers then end what it started."""
LOCK_SECONDS = 60.0
_NAME = re.compile(r"([0-9a-f]{12})-([0-9a-f]{24})-(\d{1,10})\.(waiting|making|ready)")


def has_spares() -> bool:
    """True on a system where spares can be handed over and watched: Linux."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


class SparePhase(StrEnum):
    """How far a spare is."""

    WAITING = "waiting"
    """For runs in progress to end."""
    MAKING = "making"
    READY = "ready"


@dataclass(frozen=True)
class ListedSpare:
    """A spare as its socket's name states it."""

    name: str
    code: str
    """The beginning of the digest of our code."""
    kind: str
    """The beginning of its kind."""
    pid: int
    phase: SparePhase
    made: int
    """When its socket was made or last changed its name, for ordering."""


def name_of(code: str, kind: str, pid: int, phase: SparePhase) -> str:
    """The name of a spare's socket."""
    return f"{code[:12]}-{kind[:24]}-{pid}.{phase}"


class SparesFolder:
    """The folder of one user's spares on this host."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def of(cls, cache: Path, *, make: bool = True) -> Self | None:
        """The folder below a cache; None if it does not exist and is not to be made.

        Raises EnvironmentFailure if it belongs to another user, or others may use it.
        """
        path = of_this_host(cache / f"spares-{os.geteuid()}")
        try:
            if make:
                path.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    path.mkdir(mode=0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentFailure(f"{path}: cannot be used for spares: {error.strerror}") from None
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(descriptor)
            whose = "belongs to another user" if found.st_uid != os.geteuid() else "is open to other users"
            raise EnvironmentFailure(f"{path}: {whose}, so no spare is kept or taken there")
        return cls(path, descriptor)

    def close(self) -> None:
        os.close(self.descriptor)

    @property
    def is_gone(self) -> bool:
        """True once the folder was removed or replaced."""
        try:
            return not os.path.samestat(self.path.stat(), os.fstat(self.descriptor))
        except OSError:
            return True

    def _address(self, name: str) -> str:
        # Addresses of sockets are short (107 bytes); this one does not depend on where the cache is.
        return f"/proc/self/fd/{self.descriptor}/{name}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time count the spares and add its own; raises TimeoutError."""
        with FileLock(self.path / "count.lock", timeout=LOCK_SECONDS):
            yield

    @property
    def making(self) -> FileLock:
        """The lock of the one spare that is being made."""
        return FileLock(self.path / "making.lock")

    def listed(self) -> list[ListedSpare]:
        """The spares by their sockets, the oldest first; a process of one may have ended."""
        found = []
        with suppress(OSError):
            for name in os.listdir(self.descriptor):  # noqa: PTH208 - of a descriptor
                match = _NAME.fullmatch(name)
                if match:
                    with suppress(FileNotFoundError):
                        changed = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_ctime_ns
                        found.append(
                            ListedSpare(name, match[1], match[2], int(match[3]), SparePhase(match[4]), changed)
                        )
        return sorted(found, key=lambda spare: spare.made)

    def bind(self, name: str) -> socket.socket:
        """Listen on a new socket of that name; raises OSError."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.bind(self._address(name))
            os.chmod(name, 0o600, dir_fd=self.descriptor)
            made.listen(BACKLOG)
        except OSError:
            made.close()
            raise
        return made

    def rename(self, old: str, new: str) -> None:
        """Give a socket a new name; raises OSError."""
        os.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self.descriptor)

    def connect(self, name: str) -> socket.socket | None:
        """A connection with a spare of this user; None if it has ended, and then its socket is removed."""
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(CONNECT_SECONDS)
        try:
            ours.connect(self._address(name))
            if is_of_this_user(ours):
                return ours
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                self.remove(name)
        ours.close()
        return None

    def ask_to_end(self, spare: ListedSpare) -> int | None:
        """Ask a spare that no command has taken to end; returns a descriptor of its process, None if it has ended."""
        connection = self.connect(spare.name)
        if connection is None:
            return None
        with connection, suppress(OSError):
            process = os.pidfd_open(peer_of(connection)[0])
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGTERM)
            return process
        return None

    def end(self, spare: ListedSpare) -> bool:
        """End a spare that no command has taken, and wait for that; False if it had ended or was taken before.

        One that does not end when asked is killed, unless a command took it at the last moment.
        """
        process = self.ask_to_end(spare)
        if process is None:
            return False
        try:
            if not select([process], [], [], END_SECONDS)[0]:
                if all(spare.pid != other.pid for other in self.listed()):
                    return False
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select([process], [], [], END_SECONDS)
        finally:
            os.close(process)
        for other in self.listed():
            if other.pid == spare.pid:
                self.remove(other.name)
        return True


def end_spares(cache: Path) -> list[str]:
    """End all spares of this user that no command has taken, and wait for that; returns them in words."""
    folder = SparesFolder.of(cache, make=False) if has_spares() else None
    if folder is None:
        return []
    try:
        named = [(spare, _words_of(spare)) for spare in folder.listed()]
        return [text for spare, text in named if folder.end(spare)]
    finally:
        folder.close()


def _words_of(spare: ListedSpare) -> str:
    """A spare as its process's command line states it."""
    try:
        words = Path(f"/proc/{spare.pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return words[words.index(LABEL) + 1]
    except (OSError, ValueError, IndexError):
        return spare.kind


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """The process id and the user id of the process at the other end of a connection."""
    layout = struct.Struct("3i")
    pid, user, _ = layout.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    return pid, user


def is_of_this_user(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's."""
    return peer_of(connection)[1] == os.geteuid()
