"""Decides when the harness must end a run: on request, after too much output, at the deadline, or in a standstill."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from repro.launch.standstill import StillWatch
from repro.launch.untrusted import excess

EXCESS_POLL_SECONDS = 0.5
IDLE_SECONDS = 4.0
"""A run whose ranks have stood still for this long does not need its cores."""
STILL_SECONDS = 6.0
"""A run that may end before its deadline ends when its ranks have stood still for this long."""


@dataclass(frozen=True)
class Ended:
    """How a run's process trees ended."""

    code: int | None
    """Exit code of the root that failed first, or 0; negative for a signal; None if it never started."""
    seconds: float
    deadline_passed: bool
    interrupted: bool
    fault: str | None = None
    """Why the run was aborted, in one line; None if it ended itself, at the deadline or by the user."""
    stood_still: float | None = None
    """If the run was ended early for a standstill: the seconds since any rank was active."""


@dataclass(frozen=True)
class Limits:
    """The conditions under which the harness ends a run."""

    timeout: float
    """Seconds of wall clock."""
    stop: threading.Event = field(default_factory=threading.Event)
    """When this is set, the run is ended."""
    still: float | None = None
    """The seconds of standstill of all ranks after which the run is ended; None to wait for the deadline."""
    idle: Callable[[], object] = lambda: None
    """Called when the ranks have stood still for some seconds, so that others may use their cores."""

    def to_the_deadline(self) -> Self:
        """The same limits, but a standstill does not end the run."""
        return replace(self, still=None)


class Guard:
    """Watches one run."""

    def __init__(self, folder: Path, world_size: int, limits: Limits) -> None:
        self._limits = limits
        self._started = time.monotonic()
        self._excess = _ExcessWatch(folder)
        self._still = StillWatch(folder, world_size)
        self._is_idle = False
        self.interrupted = False
        self.deadline_passed = False
        self.fault: str | None = None
        self.stood_still: float | None = None

    def must_end(self) -> bool:
        """True once the run must end; the first reason is kept."""
        limits = self._limits
        self.interrupted = limits.stop.is_set()
        if self.interrupted:
            return True
        self.fault = self._excess.fault()
        if self.fault is not None:
            return True
        self.deadline_passed = time.monotonic() > self._started + limits.timeout
        if self.deadline_passed:
            return True
        still = self._still.seconds()
        if still >= IDLE_SECONDS and not self._is_idle:
            self._is_idle = True
            limits.idle()
        if limits.still is not None and still >= limits.still:
            self.stood_still = round(still, 3)
        return self.stood_still is not None

    @property
    def found_hang(self) -> bool:
        """True if the run reached its deadline or a standstill, so that stacks are needed."""
        return self.deadline_passed or self.stood_still is not None

    def ended(self, code: int | None) -> Ended:
        """How the run ended, with the exit code of its root."""
        seconds = time.monotonic() - self._started
        return Ended(code, seconds, self.deadline_passed, self.interrupted, self.fault, self.stood_still)


class _ExcessWatch:
    """Checks from time to time whether a run writes too much."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = time.monotonic() + EXCESS_POLL_SECONDS

    def fault(self) -> str | None:
        """Why the run must be ended, or None; checks at most every half second."""
        if time.monotonic() < self._next:
            return None
        began = time.monotonic()
        found = excess(self._folder)
        # The check of very many files is slow, so it is made less often.
        self._next = time.monotonic() + EXCESS_POLL_SECONDS + 10 * (time.monotonic() - began)
        return found
