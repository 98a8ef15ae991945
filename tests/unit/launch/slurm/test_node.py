"""The node's side: a real session in a folder, and what it leaves there."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.environments.locks import parse_lock
from repro.launch.session import Session
from repro.launch.slurm import node
from repro.launch.slurm.node import run_batch
from repro.launch.slurm.spool import BatchFile, EventReader, HeldLock, NodeEvent, observed, read_batch, write_batch
from repro.model.cell import make_cell
from repro.model.errors import StoreError
from tests.unit import factories
from tests.unit.factories import FAILURE, MATRIX, interpreter, lock_text, matrix
from tests.unit.launch import test_session
from tests.unit.launch.test_session import Played

played = test_session.played


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project that the node finds; signals are as before at the end."""
    made = factories.project(tmp_path)
    monkeypatch.setattr(Project, "here", lambda **_: made)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
    before = [signal.getsignal(number) for number in numbers]
    yield made
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def batch(project: Project, folder: Path, *environments: str, **changes: object) -> Path:
    cells = tuple(make_cell(project.catalog[FAILURE].failure, name) for name in environments)
    made = BatchFile(
        run="r1", cells=cells, nodes=1, catalog=None, cache=str(project.cache), data=str(folder / "data"), repeat=1,
        timeout=None, warm=False, fresh=True, confirm=False, full_deadline=False,
    )  # fmt: skip
    write_batch(folder, made.model_copy(update=changes))
    return folder


def test_events_and_observations(
    held: Project, tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cell starts and finishes with ids that the store beside holds; the end is the last word."""
    monkeypatch.setattr(Session, "_provided", lambda *_: interpreter())
    folder = batch(held, tmp_path / "batch", "old")
    run_batch(str(folder))
    events = EventReader(folder).new()
    seen = observed(folder, "r1")
    assert [event.event for event in events] == ["started", "finished", "ended"]
    assert events[1].observations == tuple(seen)
    assert len(seen) == len(played.cells) == 1


def test_an_environment_that_cannot_be_built(held: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    folder = batch(held, tmp_path / "batch", "old")
    run_batch(str(folder))
    assert [one.launcher for one in observed(folder, "r1").values()] == ["none"]


def test_an_error_is_the_last_word(held: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Session, "run", full)
    folder = batch(held, tmp_path / "batch", "old")
    with pytest.raises(SystemExit):
        run_batch(str(folder))
    assert EventReader(folder).new() == [NodeEvent(event="ended", text="the disk is full")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_cancelled_job(
    held: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Its session is interrupted, so that it ends its ranks, and says nothing of an end."""
    monkeypatch.setattr(Session, "run", lambda *_: signal.raise_signal(number))
    folder = batch(held, tmp_path / "batch", "old")
    with pytest.raises(KeyboardInterrupt):
        run_batch(str(folder))
    assert EventReader(folder).new() == []


def test_environments_that_are_not_in_the_matrix(held: Project, tmp_path: Path) -> None:
    """They come with their locks: a floating one is not resolved again on the node."""
    text = lock_text("today", MATRIX["environments"]["old"]["pins"], "2024-03-28")
    lock = HeldLock(environment=matrix().environments["old"], text=text)
    folder = batch(held, tmp_path / "batch", "old", held={"today": lock})
    session = node._session(folder, read_batch(folder))
    assert session.project.environments.lock("today").digest == parse_lock(text).digest
