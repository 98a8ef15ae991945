"""The log of a search: whole lines, read back, resumed."""

from pathlib import Path

import pytest

from repro.model.errors import StoreError
from repro.model.matrix import Environment
from repro.model.verdict import Side, Verdict
from repro.search.confirm import Counts, PointRuns
from repro.search.environments import Variant
from repro.search.log import Question, SearchLog, SearchPoint, environments_of, summary, tried
from repro.store.answers import Tried
from repro.verdict.result import judge_repetitions
from tests.unit import factories

DEFINITION = Environment(cutoff="2024-03-28", pins={"lib": "1.1"}, why="test")


def question(*labels: str, **changes: object) -> Question:
    points = tuple(
        SearchPoint.of(label, Variant(f"old with lib {label}", DEFINITION)) for label in labels or ("1.0", "1.1")
    )
    facts = {"failure": "lib-1", "package": "lib", "base": "old", "older": Side.BAD, "fixed": (True, True)}
    return Question.model_validate(facts | {"points": points} | changes)


def fact(label: str, side: Side = Side.BAD, **changes: object) -> Tried:
    verdict = {Side.BAD: "reproduced", Side.GOOD: "absent", Side.SKIP: "unrunnable"}[side]
    facts = {"label": label, "environment": f"old with lib {label}", "verdict": verdict, "side": side, "reason": "so"}
    return Tried.model_validate(facts | changes)


class TestTried:
    def test_says_what_a_result_shows_and_what_the_record_says(self) -> None:
        failure = factories.failure()
        observation = factories.observation(factories.failed(0), factories.failed(1))
        found = tried("2.2.1", "old", failure, judge_repetitions(failure, [observation]), 12.34)
        assert (found.verdict, found.side, found.affected, found.agrees) == (Verdict.REPRODUCED, Side.BAD, True, True)
        assert found.observations == (observation.id,)
        assert found.versions == factories.VERSIONS
        assert found.seconds == 12.3
        assert found.text.startswith("reproduced: KeyError")
        assert not found.reused
        (run,) = found.runs
        assert (run.observation, run.verdict, run.launcher) == (observation.id, Verdict.REPRODUCED, "torchrun")
        warm = judge_repetitions(failure, [observation.model_copy(update={"launcher": "warm"})])
        assert tried("2.2.1", "old", failure, warm, 0.0).runs[0].launcher == "warm"
        # What was to run through torchrun and could not start was no warm run.
        lost = judge_repetitions(failure, [observation.model_copy(update={"launcher": "none"})])
        assert tried("2.2.1", "old", failure, lost, 0.0, torchrun=True).runs[0].launcher == "torchrun"

    def test_a_reused_result_is_marked(self) -> None:
        failure = factories.failure()
        result = judge_repetitions(failure, [factories.observation()], reused=1)
        found = tried("2.2.1", "old", failure, result, 0.0)
        assert found.reused
        assert found.agrees is False

    def test_what_was_not_installed_says_nothing_of_the_record(self) -> None:
        failure = factories.failure()
        result = judge_repetitions(failure, [factories.observation(fault="does not resolve", installed=None)])
        found = tried("2.2.1", "old", failure, result, 0.0)
        assert (found.side, found.affected, found.agrees) == (Side.SKIP, None, None)

    def test_what_was_not_told_neither_agrees_nor_disagrees(self) -> None:
        assert fact("1.0", Side.SKIP, affected=True).agrees is None
        assert fact("1.0", Side.SKIP, affected=False).agrees is None


def runs(*texts: str) -> list[dict[str, str]]:
    return [dict(zip(("observation", "verdict", "launcher"), text.split(":"), strict=True)) for text in texts]


class TestSummary:
    FIRST = fact("1.0", Side.GOOD, runs=runs("a:absent:warm"), seconds=2.0)
    AGAIN = fact(
        "1.0", runs=runs("b:reproduced:torchrun", "c:reproduced:torchrun", "d:unrunnable:torchrun"), seconds=9.0
    )

    def test_rests_on_the_runs_that_count(self) -> None:
        found = summary([self.FIRST, self.AGAIN], Side.BAD, torchrun_only=True)
        assert (found.verdict, found.side, found.observations) == (Verdict.REPRODUCED, Side.BAD, ("b", "c"))
        assert [run.observation for run in found.runs] == ["a", "b", "c", "d"]
        assert (found.seconds, found.conclusive, found.reused) == (11.0, 3, False)

    def test_runs_that_disagree_are_flaky_and_counted(self) -> None:
        found = summary([self.FIRST, self.AGAIN], Side.BAD, torchrun_only=False)
        assert (found.verdict, found.side) == (Verdict.FLAKY, Side.BAD)
        assert found.reason == "absent in 1 of 3 runs, reproduced in 2 of 3 runs"

    def test_without_a_verdict_it_is_the_newest_fact(self) -> None:
        lost = fact("1.0", Side.SKIP, runs=runs("a:unrunnable:warm"))
        found = summary([lost], Side.SKIP, torchrun_only=False)
        assert (found.verdict, found.side, found.observations) == (Verdict.UNRUNNABLE, Side.SKIP, ("a",))


class TestJournal:
    def test_is_read_back_as_it_was_written(self, tmp_path: Path) -> None:
        journal = SearchLog.begin(tmp_path / "deep" / "log.jsonl", question())
        journal.add(fact("1.0"))
        journal.add(fact("1.1", Side.GOOD))
        again = SearchLog.read(journal.file)
        assert again == journal
        assert again.evidence() == {0: PointRuns(Counts(bad=1)), 1: PointRuns(Counts(good=1))}
        assert len(journal.file.read_text().splitlines()) == 3
        assert environments_of(again.question.points) == {f"old with lib {n}": DEFINITION for n in ("1.0", "1.1")}

    def test_a_line_that_a_crash_cut_off_is_dropped_and_the_log_goes_on(self, tmp_path: Path) -> None:
        journal = SearchLog.begin(tmp_path / "log.jsonl", question())
        journal.add(fact("1.0"))
        with journal.file.open("a") as file:
            file.write('{"fact": "tried", "label": "1.1", "ü')
        again = SearchLog.read(journal.file)
        assert again.evidence() == {0: PointRuns(Counts(bad=1))}
        again.add(fact("1.1", Side.GOOD))
        assert set(SearchLog.read(journal.file).evidence()) == {0, 1}

    def test_all_runs_of_a_point_count_by_launcher_and_each_once(self, tmp_path: Path) -> None:
        journal = SearchLog.begin(tmp_path / "log.jsonl", question())
        journal.add(fact("1.0", runs=runs("a:reproduced:warm")))
        journal.add(fact("1.0", runs=runs("b:reproduced:torchrun", "c:unrunnable:torchrun")))
        journal.add(fact("1.0", runs=runs("b:reproduced:torchrun", "d:absent:torchrun", "e:rejected:torchrun")))
        again = SearchLog.read(journal.file)
        assert again.evidence() == {0: PointRuns(Counts(bad=1), Counts(bad=1, good=2, skipped=1))}
        assert again.labels == ("1.0",)
        assert len(again.facts("1.0")) == 3
        assert again.facts("1.1") == []

    def test_never_writes_over_another_log(self, tmp_path: Path) -> None:
        SearchLog.begin(tmp_path / "log.jsonl", question())
        with pytest.raises(StoreError, match="cannot be written"):
            SearchLog.begin(tmp_path / "log.jsonl", question())

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "does not begin with a question"),
            (fact("1.0").model_dump_json() + "\n", "does not begin with a question"),
            (question().model_dump_json().replace('"format":1', '"format":2') + "\n", "log.jsonl:1: question.format"),
            (question().model_dump_json() + "\n{}\n", "log.jsonl:2"),
        ],
    )
    def test_a_damaged_log_is_said_with_its_line(self, tmp_path: Path, text: str, words: str) -> None:
        file = tmp_path / "log.jsonl"
        file.write_text(text)
        with pytest.raises(StoreError, match=words):
            SearchLog.read(file)

    def test_a_missing_log(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be read"):
            SearchLog.read(tmp_path / "none.jsonl")

    def test_points_are_named_for_people(self) -> None:
        assert question().describe(1) == "lib 1.1"
        assert question("2024-03-01", package=None).describe(0) == "the stack of 2024-03-01"
