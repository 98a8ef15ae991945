"""Stores of several machines become one."""

import json
import os
from pathlib import Path

import pytest

from repro.model.errors import StoreError, UsageError
from repro.model.verdict import Verdict
from repro.store.answers import AnswerStore
from repro.store.merge import merge_stores
from repro.store.observations import STORED_BYTES, VERDICTS, Store
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


class TestForeignNames:
    """A name in a foreign file never leads out of our store."""

    @pytest.mark.parametrize(
        "name", ["../../../../x", "/root/x", "..", ".hidden", "a/b", "a\\b", "x\n", "", "-x", "a" * 201]
    )
    def test_failure_of_an_answer(self, tmp_path: Path, name: str) -> None:
        """The whole store is refused, and nothing is written anywhere."""
        whole, other = store(tmp_path / "w"), store(tmp_path / "a")
        file = AnswerStore(other.root).put(bisected())
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"failure": name}))
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StoreError, match=r"failure: .*is not a file name"):
            merge_stores(whole, [other])
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("key", ["id", "failure"])
    def test_names_of_an_observation(self, tmp_path: Path, key: str) -> None:
        """Ids and failures of observations likewise."""
        whole, other = store(tmp_path / "w"), store(tmp_path / "a", 1)
        file = next(other.files())
        content = json.loads(file.read_text())
        if key == "id":
            content["id"] = f"{content['recipe'][:12]}-/../../../x"
        else:
            content["cell"]["failure"] = "../x"
        file.write_text(json.dumps(content))
        with pytest.raises(StoreError, match="is not a file name"):
            merge_stores(whole, [other])

    def test_answer_in_another_folder(self, tmp_path: Path) -> None:
        """An answer counts only for the failure whose folder it lies in."""
        whole, other = store(tmp_path / "w"), store(tmp_path / "a")
        file = AnswerStore(other.root).put(bisected())
        (file.parent.parent / "other-1").mkdir()
        file.rename(file.parent.parent / "other-1" / file.name)
        with pytest.raises(StoreError, match="is an answer about"):
            merge_stores(whole, [other])

    def test_link_out_of_the_store(self, tmp_path: Path) -> None:
        """A folder of our store that is a link to somewhere else is not written to."""
        whole, other = store(tmp_path / "w"), store(tmp_path / "a", 1)
        (tmp_path / "elsewhere").mkdir()
        (whole.root / next(iter(other)).cell.failure).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UsageError, match="leads out of"):
            merge_stores(whole, [other])
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_no_regular_file(self, tmp_path: Path) -> None:
        """A FIFO would stop the command for ever; a huge file would fill the memory."""
        whole, other = store(tmp_path / "w"), store(tmp_path / "a", 1)
        file = next(other.files())
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(StoreError, match="is a FIFO; a regular file is expected"):
            merge_stores(whole, [other])
        file.unlink()
        with file.open("wb") as large:
            large.truncate(STORED_BYTES + 1)
        with pytest.raises(StoreError, match="is larger than"):
            merge_stores(whole, [other])

    def test_verdicts_of_another_shape(self, tmp_path: Path) -> None:
        """Lines that are no records are skipped, however they are wrong."""
        whole, other = store(tmp_path / "w"), store(tmp_path / "a", 1)
        lines = ["[" * 100_000, '{"id": 1, "verdict": []}', '{"id": []}', "\udcff", "null", '"x"']
        with (other.root / VERDICTS).open("ab") as file:
            file.write("\n".join(lines).encode("utf-8", "surrogateescape"))
        assert merge_stores(whole, [other]).added == 1
        assert set(whole.recorded_verdicts().values()) == {"reproduced"}
