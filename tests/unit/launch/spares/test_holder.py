"""What ends a spare that no command has taken, and how many there may be."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from filelock import Timeout

from repro.launch.spares import holder
from repro.launch.spares.client import CommandSpares
from repro.launch.spares.handover import REQUEST_BYTES
from repro.launch.spares.holder import Client, Holder, Loaded, _line, mapped_files
from repro.launch.spares.kind import our_code, process_state, stamp
from repro.launch.spares.order import order_of
from repro.launch.spares.place import ListedSpare, SparePhase
from repro.launch.warm import Connection, Family, StartedRoots, WarmError
from tests.unit.launch.ranks import gone
from tests.unit.launch.spares.kept import NEVER, built, left, listed, ordered_spare, ready, start_in, wait_until_ready

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")


End = Callable[[Path, int, "subprocess.Popen[bytes]"], object]


def asked(number: signal.Signals) -> End:
    return lambda _root, pid, _leader: os.kill(pid, number)


ENDS: dict[str, End] = {
    "asked": asked(signal.SIGTERM),
    "hung up": asked(signal.SIGHUP),
    "logged out": lambda _root, _pid, leader: leader.kill(),
    "no environment": lambda root, _pid, _leader: shutil.move(root / "env", root / "elsewhere"),
    "no folder": lambda root, _pid, _leader: shutil.rmtree(next(root.glob("a-long*"))),
}


@pytest.mark.parametrize("how", ENDS)
def test_ends(tmp_path: Path, cache: Path, spares: CommandSpares, leader: "subprocess.Popen[bytes]", how: str) -> None:
    """No process is left."""
    spare = ordered_spare(cache, spares, built(tmp_path / "env"))
    assert left(tmp_path)
    ENDS[how](tmp_path, spare.pid, leader)
    spares.ordered[0].wait(30)
    assert not left(tmp_path)
    assert not listed(cache)


def test_ends_when_idle(tmp_path: Path, cache: Path, leader: "subprocess.Popen[bytes]") -> None:
    """Nobody took it in time."""
    spares = CommandSpares(cache, 0, leader=leader.pid)
    spares.used(start_in(built(tmp_path / "env")), (("torch", None),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "repro.launch.spares.client.order_of",
            lambda start, imports, place, descriptor, _seconds: order_of(start, imports, place, descriptor, 3.0),
        )
        spares.order()
    wait_until_ready(cache, spares)
    spares.ordered[0].wait(30)
    assert not left(tmp_path)
    assert not listed(cache)


def test_ends_with_one_of_its_processes(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """A spare that is not whole serves nobody."""
    ordered_spare(cache, spares, built(tmp_path / "env"))
    os.kill(left(tmp_path)[0], signal.SIGKILL)
    spares.ordered[0].wait(30)
    assert not left(tmp_path)


def test_one_of_a_kind(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """A second order of the same kind is none."""
    interpreter = built(tmp_path / "env")
    first = ordered_spare(cache, spares, interpreter)
    spares.used(start_in(interpreter), (("torch", None),))
    spares.order()
    spares.ordered[1].wait(60)
    assert [spare.pid for spare in listed(cache)] == [first.pid]


@dataclass
class Folder:
    """A folder of spares, all alive, that notes which are ended."""

    spares: list[ListedSpare]
    ended: list[int] = field(default_factory=list)
    making: "Lock | None" = None
    blocked: set[int] = field(default_factory=set)
    """The signals that are blocked when the name of a spare is removed."""

    def listed(self) -> list[ListedSpare]:
        return [spare for spare in self.spares if spare.pid not in self.ended]

    def end(self, spare: ListedSpare) -> None:
        self.ended.append(spare.pid)

    def remove(self, _name: str) -> None:
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def rename(self, _old: str, _new: str) -> None: ...

    def locked(self) -> object:
        return open(os.devnull)  # noqa: PTH123 - a context

    def bind(self, name: str) -> str:
        return name


def spare(pid: int, phase: SparePhase = SparePhase.READY) -> ListedSpare:
    return ListedSpare(f"{pid}", our_code()[:12], f"{pid:024}", pid, phase, pid)


@contextmanager
def held_by(folder: Folder, tmp_path: Path) -> Iterator[Holder]:
    order = order_of(start_in(built(tmp_path / "env")), (), tmp_path, 0, 60.0)
    made = Holder(order, folder)  # type: ignore[arg-type]
    yield made
    made._woken.close()
    made._wake.close()


def test_the_oldest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are at most four; the fifth takes the place of the oldest."""
    monkeypatch.setattr(holder, "_answers", lambda *_: True)
    folder = Folder([spare(pid) for pid in (1, 2, 3, 4)])
    with held_by(folder, tmp_path) as made:
        assert made._join("a" * 64)
    assert folder.ended == [1]
    few = Folder([spare(1)])
    with held_by(few, tmp_path) as made:
        assert made._join("a" * 64)
    assert not few.ended


def test_memory_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones make room; one that is too large by itself does not stay."""
    monkeypatch.setattr(holder, "pids_of", lambda _: [7])
    monkeypatch.setattr(holder, "held_by", lambda pids: 100 * len(list(pids)))
    for free, ended, stays in ((1000, [], True), (700, [1], True), (250, [1, 2], False)):
        folder = Folder([spare(1), spare(2)])
        monkeypatch.setattr(holder, "free_memory", lambda free=free: free)
        with held_by(folder, tmp_path) as made:
            assert made._have_room(None) is stays  # type: ignore[arg-type]
        assert folder.ended == ended


def test_what_a_client_says_is_limited() -> None:
    """It may come in parts; a long text, and the end of one that is not whole, are no request."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        waiting = Client(0.0)
        assert _line(ours, waiting) is None
        theirs.sendall(b"ab")
        assert _line(ours, waiting) is None
        theirs.sendall(b"c\n")
        assert _line(ours, waiting) == b"abc\n"
        theirs.sendall(b"x" * REQUEST_BYTES)
        assert _line(ours, waiting) == b""
        theirs.close()
        assert _line(ours, Client(0.0)) == b""


@dataclass
class Lock:
    """The lock of the spare that is being made, which another process has at first."""

    events: list[str]

    def acquire(self, *, blocking: bool) -> None:
        assert not blocking
        self.events.append("lock")
        if self.events.count("lock") == 1:
            raise Timeout("making.lock")

    def release(self) -> None:
        self.events.append("release")


def test_is_made_in_idle_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while a run holds a slot of this cache, and not while another spare is made."""
    events: list[str] = []
    answers = iter([True, True, False, False])

    def any_taken(_: Path) -> bool:
        events.append("look")
        return next(answers)

    def start_family(*_: object, **__: object) -> None:
        events.append("make")
        raise WarmError("not here")

    monkeypatch.setattr(holder, "any_taken", any_taken)
    monkeypatch.setattr(holder, "start_family", start_family)
    monkeypatch.setattr(holder, "POLL_SECONDS", 0.0)
    with held_by(Folder([], making=Lock(events)), tmp_path) as made:
        assert made._made(start_in(built(tmp_path / "env")), "a" * 64) is None
        assert events == ["look", "look", "look", "lock", "look", "lock", "make", "release"]
        made.stop.set()
        answers = iter([True])
        assert made._made(start_in(built(tmp_path / "env")), "a" * 64) is None
    assert events[-1] == "look"


@pytest.mark.parametrize("end", ["never", "asked", "changed", "gone"])
def test_a_hand_over_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """A request to end counts before it begins and not after; a command that cannot take the spare ends it."""
    monkeypatch.setattr(holder, "pids_of", lambda _: [os.getpid()])
    folder, held = Folder([]), socket.socketpair()
    family = Family((), tmp_path, StartedRoots(), {(): [Connection(held[0])]}, NEVER)
    ours, theirs = socket.socketpair()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with ours, theirs, held[0], held[1], held_by(folder, tmp_path) as made:
        library = tmp_path / "library"
        library.write_text("")
        made._loaded = Loaded((library,), (stamp(library),), tuple(process_state()))
        if end == "asked":
            made.ask_to_end()
        elif end == "changed":
            os.utime(library, (1, 1))
        elif end == "gone":
            ours.close()
        try:
            assert made._hand_over(family, theirs) is (end == "never")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if end == "never":
            assert {signal.SIGTERM, signal.SIGHUP} <= folder.blocked
            _, descriptors, _, _ = socket.recv_fds(ours, 10, 10)
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            assert made.stop.is_set()


def test_what_was_loaded(tmp_path: Path) -> None:
    """A library that was changed or removed is not what is there now."""
    library = tmp_path / "library"
    library.write_text("")
    loaded = Loaded((library,), (stamp(library),), tuple(process_state()))
    seen = [loaded.is_current, replace(loaded, state=("another",)).is_current]
    library.unlink()
    seen += [loaded.is_current, replace(loaded, stamps=(stamp(library),)).is_current]
    assert seen == [True, False, False, False]


def test_mapped_files() -> None:
    """The libraries of the processes below one, wherever they lie."""
    words = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = mapped_files([process.pid])
        process.communicate(b"\n")
    assert any(file.name.startswith("libc") for file in found)
    assert all(file.is_absolute() for file in found)


def test_nothing_is_kept_for_an_order_that_fails(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """The interpreter does not start."""
    interpreter = built(tmp_path / "env")
    (tmp_path / "env" / "python").write_text("#!/bin/sh\nexit 1\n")
    spares.used(start_in(interpreter), (("torch", None),))
    spares.order()
    spares.ordered[0].wait(60)
    assert not ready(cache)
    assert not left(tmp_path)
    assert spares.take(start_in(interpreter), NEVER) is None
    assert gone(spares.ordered[0].pid)
