"""Verifying, pruning and judging again; no run."""

import json
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import Catalog, load
from repro.model.errors import StoreError
from repro.model.observation import Observation
from repro.model.verdict import Side, Verdict
from repro.report.rows import used_by_reports
from repro.store import rejudge as rejudging
from repro.store import upkeep
from repro.store.answers import AnswerStore, Blamed, Every, Swept, Tried
from repro.store.observations import Store
from tests.unit import factories

FAILURE = factories.FAILURE


def observation(number: int, recipe: str = "a", run: str = "1", **changes: Any) -> Observation:
    key = recipe * 12
    facts = {
        "id": f"{key}-20260101T0000{number:02}Z-{number:06}",
        "recipe": key + "0" * 52,
        "run": f"run-{run}",
        "started": f"2026-01-01T00:00:{number:02}+00:00",
    }
    return factories.observation(*changes.pop("ranks", ()), **facts | changes)


def failing(number: int, **changes: Any) -> Observation:
    return observation(number, ranks=(factories.failed(0), factories.failed(1)), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "reports" / "data")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    factories.write_failure(tmp_path / "failures")
    return load(tmp_path / "failures")


def fact(label: str, verdict: Verdict, *observations: Observation) -> Tried:
    names = tuple(found.id for found in observations)
    return Tried(label=label, environment="old", verdict=verdict, side=Side.GOOD, reason="", observations=names)


def swept(*facts: Tried) -> Swept:
    told = {"failure": FAILURE, "date": "2026-01-01T00:00:00+00:00", "package": "lightning", "base": "old"}
    return Swept.model_validate(told | {"every": Every.ALL, "tried": facts, "seconds": 1.0})


class TestVerify:
    def test_a_whole_store(self, store: Store) -> None:
        store.add(observation(1))
        store.add(observation(2, "b"))
        AnswerStore(store.root).put(swept(fact("1", Verdict.ABSENT)))
        assert upkeep.verify(store) == (2, [])

    def test_an_empty_store(self, store: Store) -> None:
        assert upkeep.verify(store) == (0, [])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"id": "bbbbbbbbbbbb-x"}, "holds the observation bbbbbbbbbbbb-x"),
            ({"recipe": "c" * 64}, "its id does not begin with its recipe cccccccccccc"),
            ({"format": 3}, "is of format 3, this version reads 1 and 2"),
            ({"seconds": "long"}, "seconds"),
        ],
    )
    def test_what_does_not_fit_is_said_with_its_file(self, store: Store, change: dict[str, Any], words: str) -> None:
        file = store.add(observation(1))
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        count, problems = upkeep.verify(store)
        assert count == 1
        (problem,) = problems
        assert words in problem
        assert str(file) in problem

    def test_an_observation_under_another_failure(self, store: Store) -> None:
        file = store.add(observation(1))
        moved = store.root / "lightning-1" / file.name
        moved.parent.mkdir()
        file.rename(moved)
        assert f"is an observation of {FAILURE}" in upkeep.verify(store)[1][0]

    def test_a_damaged_answer(self, store: Store) -> None:
        file = AnswerStore(store.root).put(swept(fact("1", Verdict.ABSENT)))
        file.write_text("{")
        assert str(file) in upkeep.verify(store)[1][0]


class TestPrune:
    def test_the_newest_run_of_each_recipe_stays_whole(self) -> None:
        old = [observation(1, run="1"), observation(2, run="1")]
        new = [observation(3, run="2"), observation(4, run="2")]
        other = [observation(5, "b", run="1")]
        assert {found.id for found in upkeep.superfluous([*new, *old, *other], frozenset())} == {
            found.id for found in old
        }

    def test_more_runs_can_be_kept(self) -> None:
        held = [observation(n, run=str(n)) for n in range(1, 5)]
        assert upkeep.superfluous(held, frozenset(), keep=3) == held[:1]
        assert upkeep.superfluous(held, frozenset(), keep=4) == []

    def test_what_is_used_stays_with_its_repetitions(self) -> None:
        held = [observation(1, run="1"), observation(2, run="1"), observation(3, run="2"), observation(4, run="3")]
        assert upkeep.superfluous(held, frozenset({held[0].id})) == [held[2]]

    def test_removes_the_files(self, store: Store) -> None:
        old, new = observation(1, run="1"), observation(2, run="2")
        files = [store.add(old), store.add(new)]
        reports = store.root.parent
        assert upkeep.prune(store, used_by_reports(reports), dry=True) == [old]
        assert all(file.exists() for file in files)
        assert upkeep.prune(store, used_by_reports(reports)) == [old]
        assert [file.exists() for file in files] == [False, True]

    def test_never_what_a_report_or_a_search_rests_on(self, store: Store) -> None:
        held = [observation(n, run=str(n)) for n in range(1, 5)]
        for found in held:
            store.add(found)
        rows = [{"cell": factories.cell().model_dump(mode="json"), "observations": [held[0].id]}]
        (store.root.parent / "matrix.json").write_text(json.dumps({"format": 1, "rows": rows}))
        AnswerStore(store.root).put(swept(fact("1", Verdict.ABSENT, held[1])))
        assert upkeep.prune(store, used_by_reports(store.root.parent)) == [held[2]]

    def test_nothing_goes_while_something_is_damaged(self, store: Store) -> None:
        files = [store.add(observation(n, run=str(n))) for n in (1, 2)]
        (store.root.parent / "matrix.json").write_text("{")
        with pytest.raises(StoreError, match="repro report"):
            upkeep.prune(store, used_by_reports(store.root.parent))
        (store.root.parent / "matrix.json").unlink()
        AnswerStore(store.root).put(swept(fact("1", Verdict.ABSENT))).write_text("{")
        with pytest.raises(StoreError):
            upkeep.prune(store, used_by_reports(store.root.parent))
        assert all(file.exists() for file in files)


class TestRejudge:
    def test_says_which_verdicts_changed_and_notes_them(self, store: Store, catalog: Catalog) -> None:
        bad, good = failing(1), observation(2, "b")
        for found, told in ((bad, "different"), (good, "absent")):
            store.add(found)
            store.record_verdict(found.id, told)
        result = rejudging.rejudge(store, catalog)
        assert (result.judged, result.unrecorded) == (2, 0)
        (changed,) = result.changed
        assert (changed.what, changed.before, changed.after.verdict) == (bad.id, "different", Verdict.REPRODUCED)
        assert store.recorded_verdicts() == {bad.id: "reproduced", good.id: "absent"}
        assert rejudging.rejudge(store, catalog).changed == ()

    def test_what_was_never_told_is_no_change(self, store: Store, catalog: Catalog) -> None:
        store.add(failing(1))
        result = rejudging.rejudge(store, catalog)
        assert (result.judged, result.unrecorded, result.changed) == (1, 1, ())
        assert rejudging.rejudge(store, catalog).unrecorded == 0

    def test_observations_of_retired_failures_are_left_alone(self, store: Store, catalog: Catalog) -> None:
        store.add(observation(1, cell=factories.cell(failure="lightning-1")))
        assert rejudging.rejudge(store, catalog).judged == 0

    def test_answers_of_searches_get_the_verdicts_of_today(self, store: Store, catalog: Catalog) -> None:
        bad = failing(1)
        store.add(bad)
        answers = AnswerStore(store.root)
        wrong, right = fact("2.2.1", Verdict.ABSENT, bad), fact("2.2.2", Verdict.ABSENT)
        answers.put(swept(wrong, right))
        assert rejudging.rejudge(store, catalog).answers == (f"{FAILURE} sweep-lightning",)
        (answer,) = answers.of(FAILURE)
        assert [(found.verdict, found.side) for found in answer.all_tried] == [
            (Verdict.REPRODUCED, Side.BAD),
            (Verdict.ABSENT, Side.GOOD),
        ]
        assert rejudging.rejudge(store, catalog).answers == ()

    def test_answers_say_what_the_record_says_today(self, store: Store, catalog: Catalog) -> None:
        """A corrected record agrees with what was found before it; nobody need ask again."""
        bad = failing(1)
        store.add(bad)
        answers = AnswerStore(store.root)
        versions = {"lightning": "2.2.1", "torch": "2.2.2"}
        found = fact("2.2.1", Verdict.REPRODUCED, bad)
        answers.put(swept(found.model_copy(update={"side": Side.BAD, "affected": False, "versions": versions})))
        assert rejudging.rejudge(store, catalog).answers == ()
        (answer,) = answers.of(FAILURE)
        assert [found.agrees for found in answer.all_tried] == [True]

    def test_the_ends_of_a_blame_too(self, catalog: Catalog) -> None:
        bad = failing(1)
        told = {"failure": FAILURE, "date": "2026-01-01", "causes": (), "changes": (), "tried": (), "seconds": 0.0}
        ends = {"start": fact("s", Verdict.ABSENT, bad), "end": fact("e", Verdict.ABSENT)}
        answer = Blamed.model_validate(told | ends)
        renewed = rejudging.rejudged_answer(answer, {bad.id: bad}, catalog)
        assert isinstance(renewed, Blamed)
        assert renewed.start.verdict is Verdict.REPRODUCED
        assert rejudging.rejudged_answer(answer, {}, catalog) is None


class TestLedger:
    def test_the_last_word_counts_and_a_torn_line_does_not(self, store: Store) -> None:
        store.record_verdict("a", "absent")
        store.record_verdict("a", "different")
        with (store.root / "verdicts.jsonl").open("a") as file:
            file.write('{"format": 1, "id": "b"\n[]\n')
        assert store.recorded_verdicts() == {"a": "different"}

    def test_answers_and_the_ledger_are_no_observations(self, store: Store) -> None:
        store.add(observation(1))
        store.record_verdict("a", "absent")
        file = AnswerStore(store.root).put(swept(fact("1", Verdict.ABSENT)))
        (file.parent.parent / "notes.json").write_text("{}")
        assert len(list(store)) == 1

    def test_every_file_states_its_format(self, store: Store) -> None:
        held = observation(1)
        file = store.add(held)
        assert json.loads(file.read_text())["format"] == 2
        file.write_text(held.model_dump_json(exclude_defaults=True))
        assert list(store) == [held], "files of the first version lack it"
