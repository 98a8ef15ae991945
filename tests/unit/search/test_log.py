"""The log of a search: whole lines, read back, resumed."""

from pathlib import Path

import pytest

from repro.errors import StoreError
from repro.model.matrix import Environment
from repro.model.verdict import Side, Verdict
from repro.search.environments import Variant
from repro.search.log import Question, SearchLog, SearchPoint, environments_of, tried
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


class TestJournal:
    def test_is_read_back_as_it_was_written(self, tmp_path: Path) -> None:
        journal = SearchLog.begin(tmp_path / "deep" / "log.jsonl", question())
        journal.add(fact("1.0"))
        journal.add(fact("1.1", Side.GOOD))
        again = SearchLog.read(journal.file)
        assert again == journal
        assert again.answers() == {0: Side.BAD, 1: Side.GOOD}
        assert len(journal.file.read_text().splitlines()) == 3
        assert environments_of(again.question.points) == {f"old with lib {n}": DEFINITION for n in ("1.0", "1.1")}

    def test_a_line_that_a_crash_cut_off_is_dropped_and_the_log_goes_on(self, tmp_path: Path) -> None:
        journal = SearchLog.begin(tmp_path / "log.jsonl", question())
        journal.add(fact("1.0"))
        with journal.file.open("a") as file:
            file.write('{"fact": "tried", "label": "1.1", "ü')
        again = SearchLog.read(journal.file)
        assert again.answers() == {0: Side.BAD}
        again.add(fact("1.1", Side.GOOD))
        assert SearchLog.read(journal.file).answers() == {0: Side.BAD, 1: Side.GOOD}

    def test_the_last_word_on_a_point_counts(self, tmp_path: Path) -> None:
        journal = SearchLog.begin(tmp_path / "log.jsonl", question())
        journal.add(fact("1.0", Side.SKIP))
        journal.add(fact("1.0", Side.BAD))
        assert journal.answers() == {0: Side.BAD}
        held = journal.of(0)
        assert held is not None
        assert held.side is Side.BAD
        assert journal.of(1) is None

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
