"""Stores of several machines become one."""

from pathlib import Path

import pytest

from repro.errors import StoreError
from repro.model.verdict import Verdict
from repro.store.answers import AnswerStore
from repro.store.merge import merge_stores
from repro.store.observations import Store
from tests.unit.factories import failed, observation, rank
from tests.unit.report.test_answers import bisected, fact


def store(root: Path, *numbers: int) -> Store:
    made = Store(root)
    made.root.mkdir()
    for number in numbers:
        recipe = f"{number:064x}"
        found = observation(failed(0), failed(1), id=f"{recipe[:12]}-{number}", recipe=recipe)
        made.add(found)
        made.record_verdict(found.id, "reproduced")
    return made


class TestMerge:
    """All of all, once."""

    def test_merge(self, tmp_path: Path) -> None:
        """What is new comes in with its told verdict; a second time changes nothing."""
        whole, one, two = store(tmp_path / "w", 1), store(tmp_path / "a", 1, 2), store(tmp_path / "b", 3)
        found = merge_stores(whole, [one, two])
        assert (found.added, found.known) == (2, 1)
        assert len(list(whole)) == len(whole.recorded_verdicts()) == 3
        before = {file: file.read_bytes() for file in tmp_path.rglob("*.json*")}
        again = merge_stores(whole, [one, two])
        assert (again.added, again.known) == (0, 3)
        assert {file: file.read_bytes() for file in tmp_path.rglob("*.json*")} == before

    def test_answers(self, tmp_path: Path) -> None:
        """Of two answers to one question the newer stays."""
        whole, one = store(tmp_path / "w"), store(tmp_path / "a")
        AnswerStore(whole.root).put(bisected(date="2026-01-02T00:00:00+00:00", seconds=1.0))
        AnswerStore(one.root).put(bisected(date="2026-01-01T00:00:00+00:00", seconds=2.0))
        assert merge_stores(whole, [one]).answers == 0
        assert merge_stores(one, [whole]).answers == 1
        assert [answer.seconds for answer in AnswerStore(one.root)] == [1.0]

    def test_the_same_boundary(self, tmp_path: Path) -> None:
        """Of two bisections that found the same between other ends the newer stays, whichever comes in."""
        whole, one = store(tmp_path / "w"), store(tmp_path / "a")
        wider = (fact("0.9", Verdict.REPRODUCED), fact("1.2", Verdict.ABSENT))
        AnswerStore(whole.root).put(bisected(date="2026-01-02T00:00:00+00:00", seconds=1.0))
        AnswerStore(one.root).put(bisected(date="2026-01-01T00:00:00+00:00", seconds=2.0, tried=wider))
        assert merge_stores(whole, [one]).answers == 0
        assert merge_stores(one, [whole]).answers == 1
        assert [[answer.seconds for answer in AnswerStore(held.root)] for held in (whole, one)] == [[1.0], [1.0]]

    def test_damaged(self, tmp_path: Path) -> None:
        """One damaged file, and nothing of any store comes in."""
        whole, one, two = store(tmp_path / "w"), store(tmp_path / "a", 1), store(tmp_path / "b", 2)
        next(two.files()).write_text("{")
        with pytest.raises(StoreError, match="1 of 1 are wrong"):
            merge_stores(whole, [one, two])
        assert not list(whole)

    def test_same_id(self, tmp_path: Path) -> None:
        """Observations are never changed: another one under a known id is refused."""
        whole, one = store(tmp_path / "w", 1), store(tmp_path / "a", 1)
        held = next(iter(one))
        one.add(held.model_copy(update={"ranks": (rank(0), rank(1))}))
        with pytest.raises(StoreError, match="another observation under a known id"):
            merge_stores(whole, [one])

    def test_missing(self, tmp_path: Path) -> None:
        """A shard that left nothing is not passed over."""
        with pytest.raises(StoreError, match="no such store"):
            merge_stores(store(tmp_path / "w"), [Store(tmp_path / "gone")])
