"""Which range a search asks about, and what its ends show."""

from datetime import UTC, datetime

import pytest

from repro.model.errors import UsageError
from repro.model.matrix import Environment
from repro.model.verdict import Side
from repro.search.environments import Vector
from repro.search.question import Ends, describe_skipped, question_of_days, question_of_releases, releases_to_search
from repro.search.releases import IndexFile, Releases
from repro.store.answers import SkippedRelease
from tests.unit import factories

ENVIRONMENT = Environment(cutoff="2024-03-28", pins={"torch": "2.2.2", "lightning": "2.2.1"}, why="affected")
BASE = Vector("old", ENVIRONMENT, {"torch": "2.2.2", "lightning": "2.2.1"})
VERSIONS = ("2.0.9", "2.1.0", "2.1.4", "2.2.0", "2.2.1", "2.2.2", "2.2.3rc1", "2.3.0", "2.4.0")
"""Affected are 2.1.0 to 2.2.1."""


def fetch(_name: str) -> list[IndexFile]:
    day = datetime(2024, 4, 1, tzinfo=UTC)
    return [IndexFile(f"lightning-{version}-py3-none-any.whl", version, "wheel", day) for version in VERSIONS]


def releases(**changes: object) -> Releases:
    return releases_to_search(factories.matrix(), factories.failure(**changes), BASE, "Lightning", fetch)


def ask(
    good: str | None = None, bad: str | None = None, *, find_fix: bool | None = None, **changes: object
) -> tuple[str, str, Side, tuple[bool, bool]]:
    failure = factories.failure(**changes)
    question = question_of_releases(failure, BASE, releases(**changes), Ends(good, bad, find_fix))
    return question.points[0].label, question.points[-1].label, question.older, question.fixed


class TestEnds:
    def test_without_any_the_record_says_that_it_was_mended(self) -> None:
        assert ask() == ("2.2.1", "2.4.0", Side.BAD, (False, False))

    def test_where_the_newest_is_affected_the_question_is_when_it_broke(self) -> None:
        affected = [{"lightning": ">=2.2"}]
        assert ask(affected=affected) == ("2.0.9", "2.2.1", Side.GOOD, (False, False))

    def test_the_question_can_be_turned_round(self) -> None:
        assert ask(find_fix=False) == ("2.0.9", "2.2.1", Side.GOOD, (False, False))
        assert ask(affected=[{"lightning": ">=2.2"}], find_fix=True) == ("2.2.1", "2.4.0", Side.BAD, (False, False))

    def test_the_order_of_two_ends_decides(self) -> None:
        assert ask("2.0.9", "2.3.0") == ("2.0.9", "2.3.0", Side.GOOD, (True, True))
        assert ask("2.3.0", "2.0.9") == ("2.0.9", "2.3.0", Side.BAD, (True, True))

    @pytest.mark.parametrize(("good", "bad", "find_fix"), [("2.0.9", "2.2.1", True), ("2.4.0", "2.2.1", False)])
    def test_ends_in_the_wrong_order_for_the_question(self, good: str, bad: str, *, find_fix: bool) -> None:
        with pytest.raises(UsageError, match=r"must be (older|newer) than"):
            ask(good, bad, find_fix=find_fix)

    def test_one_end_alone(self) -> None:
        assert ask(bad="2.1.0") == ("2.1.0", "2.4.0", Side.BAD, (True, False))
        assert ask(good="2.3.0") == ("2.2.1", "2.3.0", Side.BAD, (False, True))
        assert ask(good="2.0.9") == ("2.0.9", "2.2.1", Side.GOOD, (True, False))
        assert ask(bad="2.1.0", find_fix=False) == ("2.0.9", "2.1.0", Side.GOOD, (False, True))

    def test_without_its_own_release_the_nearest_affected_one_is_the_bad_end(self) -> None:
        base = Vector("old", ENVIRONMENT, {"torch": "2.2.2", "lightning": "1.9"})
        question = question_of_releases(factories.failure(), base, releases(), Ends())
        assert question.points[0].label == "2.2.1"

    @pytest.mark.parametrize(("good", "bad", "words"), [("2.1.0", "2.1.0", "two different"), ("9", None, "no release")])
    def test_impossible_ends(self, good: str, bad: str | None, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            ask(good, bad)

    def test_nothing_after_the_newest(self) -> None:
        with pytest.raises(UsageError, match="nothing lies after 2"):
            ask(bad="2.4.0", find_fix=True)

    def test_a_record_that_names_no_release_of_the_package(self) -> None:
        with pytest.raises(UsageError, match="give --bad"):
            ask(affected=[{"torch": ">=9"}])


class TestQuestion:
    def test_holds_every_release_with_its_environment(self) -> None:
        question = question_of_releases(factories.failure(), BASE, releases(), Ends("2.3.0", "2.2.1"))
        assert [point.label for point in question.points] == ["2.2.1", "2.2.2", "2.3.0"]
        assert question.points[0].environment == "old"
        assert question.points[0].definition is None
        definition = question.points[1].definition
        assert definition is not None
        assert definition.pins == {"torch": "2.2.2", "lightning": "2.2.2"}
        assert definition.cutoff == "2024-04-01"

    def test_says_what_is_left_out_between_its_ends_only(self) -> None:
        assert question_of_releases(factories.failure(), BASE, releases(), Ends("2.3.0", "2.2.1")).left_out == (
            SkippedRelease(version="2.2.3rc1", reason="pre-release"),
        )
        assert question_of_releases(factories.failure(), BASE, releases(), Ends("2.2.2", "2.2.1")).left_out == ()

    def test_denied_releases_are_left_out(self) -> None:
        deny = [{"distribution": "lightning", "version": "2.3.0", "reason": "malicious upload", "date": "2026-04-30"}]
        found = releases_to_search(factories.matrix(deny=deny), factories.failure(), BASE, "lightning", fetch)
        assert SkippedRelease(version="2.3.0", reason="denied: malicious upload") in found.left_out
        assert "2.3.0" not in [release.version for release in found]

    def test_what_the_failure_needs_bounds_the_releases(self) -> None:
        found = releases(needs={"distributions": {"lightning": ">=2.1"}})
        assert found[0].version == "2.1.0"
        assert found.left_out[0].reason == "the failure needs lightning>=2.1"

    def test_reasons_are_gathered(self) -> None:
        entries = [SkippedRelease(version=text, reason="pre-release") for text in ("1", "2")]
        assert describe_skipped(entries) == ["left out, pre-release: 1, 2"]

    def test_of_many_the_first_and_the_last_are_told(self) -> None:
        entries = [SkippedRelease(version=f"1.{n}", reason="pre-release") for n in range(90)]
        assert describe_skipped(entries) == ["left out, pre-release: 90 from 1.0 to 1.89"]


class TestDays:
    def test_a_day_a_point_in_order(self) -> None:
        question = question_of_days(factories.failure(), BASE, good="2024-03-03", bad="2024-03-01", keep={})
        assert [point.label for point in question.points] == ["2024-03-01", "2024-03-02", "2024-03-03"]
        assert question.older is Side.BAD
        assert question.package is None
        assert (
            question_of_days(factories.failure(), BASE, good="2024-03-01", bad="2024-03-03", keep={}).older is Side.GOOD
        )

    @pytest.mark.parametrize("good", ["2024-3-1x", "yesterday", "2024-02-30", "2024-04-01"])
    def test_what_makes_no_range(self, good: str) -> None:
        with pytest.raises(UsageError, match="2024"):
            question_of_days(factories.failure(), BASE, good=good, bad="2024-04-01", keep={})
