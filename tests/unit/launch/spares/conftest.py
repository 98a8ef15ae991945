"""A cache for spares, and a leader with whom they end."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.launch.spares.client import CommandSpares
from repro.launch.spares.place import end_spares
from tests.unit.launch.spares.kept import a_leader, left


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    """A hang-up ends a process, also in a session of tests that was started with ``nohup``."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, inherited)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache whose path is longer than the address of a socket may be; families are below ``tmp_path`` too."""
    made = tmp_path.resolve() / "tmp"
    made.mkdir()
    monkeypatch.setenv("TMPDIR", str(made))
    monkeypatch.setattr(tempfile, "tempdir", None)
    long = tmp_path.resolve() / ("a-long-name-" * 10)
    yield long
    end_spares(long)
    assert not left(tmp_path)


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    with a_leader() as process:
        yield process


@pytest.fixture
def spares(cache: Path, leader: subprocess.Popen[bytes]) -> Iterator[CommandSpares]:
    """A command's spares; what it orders has ended when the test has."""
    made = CommandSpares(cache, 10, leader=leader.pid)
    yield made
    end_spares(cache)
    for process in made.ordered:
        process.wait(30)
