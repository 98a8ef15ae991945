"""Whether the ranks of a run stand still."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro.launch import standstill
from repro.launch.standstill import StillWatch
from tests.unit.launch.ranks import wait_for

ENOUGH = 1.0
SLEEPS = "import time\ntime.sleep(60)"
WORKS = "while True: pass"
WAKES = "import time\nwhile True: time.sleep(0.005)"
WAITS_FOR_WORK = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {WORKS!r}])"
WAITS_FOR_SLEEP = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SLEEPS!r}])"

Start = Callable[..., list[subprocess.Popen[bytes]]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts ranks that have noted their start in the run's folder, and ends them and their children."""
    monkeypatch.setattr(standstill, "LOOK_SECONDS", 0.1)
    started: list[subprocess.Popen[bytes]] = []

    def ranks(*sources: str) -> list[subprocess.Popen[bytes]]:
        for number, source in enumerate(sources):
            process = subprocess.Popen([sys.executable, "-c", source], cwd=tmp_path, start_new_session=True)
            started.append(process)
            note = {"event": "started", "time": time.time(), "pid": process.pid}
            (tmp_path / f"rank{number}.jsonl").write_text(json.dumps(note) + "\n")
        return started

    yield ranks
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def longest(folder: Path, world_size: int, seconds: float) -> float:
    """The longest time for which the ranks were seen standing still, within so many seconds."""
    watch = StillWatch(folder, world_size)
    until = time.monotonic() + seconds
    most = 0.0
    while time.monotonic() < until:
        most = max(most, watch.seconds())
        time.sleep(0.02)
    return most


@pytest.mark.parametrize("waits", [SLEEPS, WAITS_FOR_SLEEP])
def test_still(start: Start, tmp_path: Path, waits: str) -> None:
    """Ranks that sleep, or wait for a process that sleeps, stand still for as long as they do."""
    start(SLEEPS, waits)
    watch = StillWatch(tmp_path, 2)
    wait_for(lambda: watch.seconds() > ENOUGH)


@pytest.mark.parametrize("works", [WORKS, WAKES, WAITS_FOR_WORK])
def test_one_works(start: Start, tmp_path: Path, works: str) -> None:
    """None stands still while one computes, wakes up again and again, or waits for a process that computes."""
    start(SLEEPS, works)
    time.sleep(0.5)  # to have started may be the work, and children come late
    assert longest(tmp_path, 2, 2.5) < ENOUGH


def test_stopped(start: Start, tmp_path: Path) -> None:
    """A rank that a signal has stopped does nothing, but the others may only wait for it."""
    _, second = start(SLEEPS, SLEEPS)
    second.send_signal(signal.SIGSTOP)
    assert longest(tmp_path, 2, 2.0) == 0.0


def test_one_has_ended(start: Start, tmp_path: Path) -> None:
    """A rank that is missing may be what the others wait for."""
    start(SLEEPS, "pass")
    assert longest(tmp_path, 2, 1.5) == 0.0
    assert longest(tmp_path, 3, 0.5) == 0.0


def test_works_again(start: Start, tmp_path: Path) -> None:
    """Who works after a pause does not stand still any more."""
    start("import time\ntime.sleep(3)\nwhile True: pass")
    watch = StillWatch(tmp_path, 1)
    wait_for(lambda: watch.seconds() > ENOUGH)
    wait_for(lambda: watch.seconds() == 0.0)
