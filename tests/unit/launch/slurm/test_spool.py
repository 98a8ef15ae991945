"""The files between two machines: whole lines only, and nothing that is not what it says."""

from pathlib import Path

import pytest

from repro.launch.slurm import spool
from repro.launch.slurm.spool import (
    EVENTS,
    STORE,
    BatchFile,
    EventReader,
    NodeEvent,
    append_event,
    observed,
    read_batch,
    write_batch,
)
from repro.model.errors import StoreError
from repro.store.observations import Store
from tests.unit.factories import FAILURE, RECIPE, cell, observation

BATCH = BatchFile(
    run="r1", cells=(cell(), cell(nodes=2)), nodes=1, catalog=None, cache="/c", data="/d", repeat=2, timeout=None,
    warm=True, fresh=False, confirm=True, full_deadline=False,
)  # fmt: skip


def test_batch(tmp_path: Path) -> None:
    write_batch(tmp_path, BATCH)
    assert read_batch(tmp_path) == BATCH
    (tmp_path / "batch.json").write_text("{}")
    with pytest.raises(StoreError, match=r"batch\.json"):
        read_batch(tmp_path)


def test_events_come_once_and_whole(tmp_path: Path) -> None:
    """A line that is being written is read when it is whole; a foreign line is passed over."""
    reader = EventReader(tmp_path)
    assert reader.new() == []
    append_event(tmp_path, NodeEvent(event="started", cell="a"))
    assert reader.new() == [NodeEvent(event="started", cell="a")]
    with (tmp_path / EVENTS).open("a") as file:
        file.write('nonsense\n{"event": "finished", "observations": ["../x"]}\n{"event": "started", ')
        file.flush()
        assert reader.new() == []
        file.write('"cell": "b"}\n')
    assert reader.new() == [NodeEvent(event="started", cell="b")]


def test_events_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "EVENT_BYTES", 30)
    for _ in range(3):
        append_event(tmp_path, NodeEvent(event="started"))
    assert len(EventReader(tmp_path).new()) == 1


def test_observed(tmp_path: Path) -> None:
    """Whole observations of this run; a damaged one, one of another run and one under a wrong name are not taken."""
    store = Store(tmp_path / STORE)
    mine = observation(run="r1")
    file = store.add(mine)
    store.add(observation(run="other", id=f"{RECIPE[:12]}-2"))
    file.with_name(f"{RECIPE[:12]}-3.json").write_text(file.read_text())
    (tmp_path / STORE / FAILURE / "broken.json").write_text("{")
    assert observed(tmp_path, "r1") == {mine.id: mine}
    assert observed(tmp_path / "nowhere", "r1") == {}
