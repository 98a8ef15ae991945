"""What ends a run from outside, and what is said of it."""

import threading
from pathlib import Path

import pytest

from repro.launch import guard as module
from repro.launch.guard import IDLE_SECONDS, STILL_SECONDS, Guard, Limits


class Clock:
    """How long the ranks have stood still, as a test sets it."""

    still = 0.0

    def __init__(self, *_: object) -> None: ...

    def seconds(self) -> float:
        return Clock.still


@pytest.fixture(autouse=True)
def _set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "StillWatch", Clock)
    monkeypatch.setattr(Clock, "still", 0.0)


def test_nothing(tmp_path: Path) -> None:
    """A run within its limits goes on."""
    guard = Guard(tmp_path, 2, Limits(60))
    assert not guard.must_end()
    ended = guard.ended(0)
    assert (ended.code, ended.deadline_passed, ended.interrupted, ended.fault, ended.stood_still) == (
        0, False, False, None, None,
    )  # fmt: skip


def test_deadline(tmp_path: Path) -> None:
    """Late ranks hang as far as is known."""
    guard = Guard(tmp_path, 2, Limits(0))
    assert guard.must_end()
    assert guard.found_hang
    assert guard.ended(1).deadline_passed


def test_stop(tmp_path: Path) -> None:
    """Who is interrupted is not late."""
    stop = threading.Event()
    guard = Guard(tmp_path, 2, Limits(0, stop))
    stop.set()
    assert guard.must_end()
    assert not guard.found_hang
    assert guard.ended(None).interrupted


def test_excess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that writes too much is broken off, with the reason."""
    monkeypatch.setattr(module, "EXCESS_POLL_SECONDS", 0.0)
    monkeypatch.setattr(module, "excess", lambda _: "writes too much")
    guard = Guard(tmp_path, 2, Limits(60))
    assert guard.must_end()
    assert not guard.found_hang
    assert guard.ended(None).fault == "writes too much"


def test_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks that stand still give their cores back, once, and end the run a little later."""
    given_back = []
    guard = Guard(tmp_path, 2, Limits(60, still=STILL_SECONDS, idle=lambda: given_back.append(True)))
    for still, idle, end in ((IDLE_SECONDS - 0.1, 0, False), (IDLE_SECONDS, 1, False), (STILL_SECONDS, 1, True)):
        monkeypatch.setattr(Clock, "still", still)
        assert guard.must_end() is end
        assert len(given_back) == idle
    assert guard.found_hang
    assert guard.ended(1).stood_still == STILL_SECONDS
    assert not guard.ended(1).deadline_passed


def test_still_to_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is given its full time only gives its cores back."""
    given_back = []
    limits = Limits(60, still=STILL_SECONDS, idle=lambda: given_back.append(True)).to_the_deadline()
    monkeypatch.setattr(Clock, "still", 50.0)
    guard = Guard(tmp_path, 2, limits)
    assert not guard.must_end()
    assert given_back
