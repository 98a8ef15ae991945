"""Upstream's word against what runs show."""

from pathlib import Path
from typing import Any

import pytest

from repro.model.failure import Failure
from repro.model.verdict import Expectation, Verdict
from repro.report.matrix_page import matrix_markdown
from repro.report.rows import Row
from repro.report.upstream import Rule, UpstreamAgreement, UpstreamComparison, compare_with_upstream, format_declared
from tests.unit.factories import FAILURE, cell, failure, project
from tests.unit.report.test_answers import bisected, fact, swept

V = Verdict


def row(lightning: str, verdict: Verdict | None, torch: str = "2.2.2+cpu", **changes: Any) -> Row:
    versions = {"lightning": lightning, "torch": torch}
    return Row(cell=cell(environment=f"lightning-{lightning}", **changes), verdict=verdict, versions=versions)


def said(state: str, fixed: str | None = None, **changes: Any) -> Failure:
    return failure(upstream={"state": state}, fixed_in={"lightning": fixed} if fixed else {}, **changes)


def rules(found: UpstreamComparison) -> list[Rule]:
    return [item.rule for item in found.disagreements]


class TestState:
    """Open, closed or unreported, against the newest release that was run."""

    def test_open_and_seen(self) -> None:
        """As upstream says."""
        found = compare_with_upstream(said("open"), [row("2.1.0", V.ABSENT), row("2.6.6", V.REPRODUCED)])
        assert (found.reading, found.present, rules(found)) == (UpstreamAgreement.AGREES, True, [])
        assert [point.text for point in found.newest] == ["lightning 2.6.6 (✗ reproduced)"]

    @pytest.mark.parametrize("verdict", [V.ABSENT, V.REJECTED])
    def test_open_but_gone(self, verdict: Verdict) -> None:
        """The newest release decides, whatever older ones show; 2.10 is younger than 2.9."""
        found = compare_with_upstream(said("open"), [row("2.9.0", V.REPRODUCED), row("2.10.0", verdict)])
        assert (rules(found), found.present) == ([Rule.OPEN_BUT_GONE], False)
        assert "lightning 2.10.0" in found.disagreements[0].text
        assert "2.9.0" not in found.disagreements[0].text

    def test_newest_could_not_be_told(self) -> None:
        """A run that says nothing does not count as the newest, nor as gone."""
        rows = [row("2.2.1", V.REPRODUCED), row("2.6.6", V.UNRUNNABLE), row("2.7.0", V.DIFFERENT), row("2.8.0", None)]
        found = compare_with_upstream(said("open"), rows)
        assert (found.reading, [point.where for point in found.newest]) == (
            UpstreamAgreement.AGREES,
            ["lightning-2.2.1"],
        )

    def test_nothing_told(self) -> None:
        """Without a run nothing is said, neither agreement nor the contrary."""
        found = compare_with_upstream(said("open"), [row("2.6.6", None)])
        assert (found.reading, found.present, found.newest) == (UpstreamAgreement.NOT_JUDGED, False, ())

    def test_two_newest_disagree(self) -> None:
        """Of two lanes of the newest release, one that shows it is enough for open."""
        found = compare_with_upstream(said("open"), [row("2.6.6", V.ABSENT), row("2.6.6", V.REPRODUCED, lane="cuda")])
        assert found.reading is UpstreamAgreement.AGREES
        assert {point.where for point in found.newest} == {"lightning-2.6.6", "lightning-2.6.6 [cuda]"}

    def test_other_cells_say_nothing(self) -> None:
        """Neither a changed factor, nor a backport, nor another failure."""
        rows = [
            row("2.6.6", V.ABSENT, backport="cure"),
            row("2.6.6", V.ABSENT, factors={"state-dict-type": "full"}),
            row("2.6.6", V.ABSENT, failure="lightning-1"),
        ]
        assert compare_with_upstream(said("open"), rows).reading is UpstreamAgreement.NOT_JUDGED

    def test_closed_without_a_release(self) -> None:
        """Closed with no fixed release named, and still there."""
        assert rules(compare_with_upstream(said("closed"), [row("2.6.6", V.REPRODUCED)])) == [Rule.CLOSED_BUT_SEEN]
        assert rules(compare_with_upstream(said("closed"), [row("2.6.6", V.ABSENT)])) == []

    def test_unreported(self) -> None:
        """What nobody has reported and the newest release shows is worth a report."""
        assert rules(compare_with_upstream(said("unreported"), [row("2.6.6", V.REPRODUCED)])) == [Rule.UNREPORTED]
        assert rules(compare_with_upstream(said("unreported"), [row("2.6.6", V.ABSENT)])) == []


class TestFixed:
    """The release that upstream names as fixed."""

    def test_as_said(self) -> None:
        """Bad before it, good from it on."""
        found = compare_with_upstream(said("closed", "2.2.2"), [row("2.2.1", V.REPRODUCED), row("2.2.2", V.ABSENT)])
        assert found.reading is UpstreamAgreement.AGREES

    @pytest.mark.parametrize("version", ["2.2.2", "2.10.0", "2.2.2+cpu"])
    def test_seen_after_it(self, version: str) -> None:
        """A release with the fix that shows it, even if a younger one does not."""
        found = compare_with_upstream(said("closed", "2.2.2"), [row(version, V.REPRODUCED), row("2.99", V.ABSENT)])
        assert rules(found) == [Rule.FIXED_BUT_SEEN]
        assert f"lightning {version}" in found.disagreements[0].text

    def test_seen_by_a_search(self) -> None:
        """Points of stored searches count; those of another failure do not."""
        late = fact("2.4.0", V.REPRODUCED, versions={"lightning": "2.4.0"})
        sweep = swept(failure=FAILURE).model_copy(update={"tried": (late,)})
        rows = [row("2.2.2", V.ABSENT)]
        assert rules(compare_with_upstream(said("closed", "2.2.2"), rows, [sweep])) == [Rule.FIXED_BUT_SEEN]
        other = sweep.model_copy(update={"failure": "lightning-1"})
        assert rules(compare_with_upstream(said("closed", "2.2.2"), rows, [other])) == []

    def test_either_package_has_it(self) -> None:
        """Where two packages have fixes, one of them is enough."""
        record = failure(
            upstream={"state": "closed"},
            fixed_in={"lightning": "2.5.5", "torch": "2.13.0"},
            affected=[{"lightning": "<2.5.5", "torch": "<2.13"}],
        )
        assert rules(compare_with_upstream(record, [row("2.5.4", V.REPRODUCED, torch="2.12.1")])) == []
        assert rules(compare_with_upstream(record, [row("2.5.4", V.REPRODUCED, torch="2.13.0+cpu")])) == [
            Rule.FIXED_BUT_SEEN
        ]


class TestBoundary:
    """The fixed release against the bisection."""

    @pytest.mark.parametrize(("fixed", "agrees"), [("1.1", True), ("1.0.5", True), ("1.0", False), ("1.2", False)])
    def test_bisection(self, fixed: str, agrees: bool) -> None:
        """The release must lie after the last bad one, and not after the first good one."""
        record = failure(id="lib-1", upstream={"state": "closed"}, fixed_in={"lib": fixed}, affected=[{"lib": ">0"}])
        found = compare_with_upstream(record, [], [bisected()])
        assert (Rule.OTHER_BOUNDARY in rules(found)) is not agrees
        if not agrees:
            assert "1.0 the last bad and 1.1 the first good" in found.disagreements[-1].text

    def test_another_question(self) -> None:
        """A bisection for the release that broke it, or of another package, says nothing of the fix."""
        record = failure(id="lib-1", upstream={"state": "closed"}, fixed_in={"lib": "9.9"}, affected=[{"lib": ">0"}])
        assert rules(compare_with_upstream(record, [], [bisected(older="good"), bisected(package="torch")])) == []

    def test_another_role(self) -> None:
        """Upstream's release is that of the last stage: a bisection that moved the writer says nothing of it."""
        stages = [
            {"name": "write", "role": "writer", "meaning": "writes"},
            {"name": "read", "role": "reader", "meaning": "reads"},
        ]
        given = {"upstream": {"state": "closed"}, "fixed_in": {"lib": "9.9"}, "affected": [{"lib": ">0"}]}
        record = failure(id="lib-1", stages=stages, **given)
        assert rules(compare_with_upstream(record, [], [bisected(role="writer", roles={"reader": "old"})])) == []
        assert rules(compare_with_upstream(record, [], [bisected(role="reader", roles={"writer": "old"})])) == [
            Rule.OTHER_BOUNDARY
        ]


class TestWritten:
    """How it stands in the reports."""

    def test_words(self) -> None:
        """State and fixed release in one phrase."""
        assert format_declared(said("closed", "2.2.2")) == "closed, fixed in lightning 2.2.2"
        assert format_declared(said("open")) == "open"

    def test_matrix(self, tmp_path: Path) -> None:
        """A line a failure, the disagreements first, upstream's words escaped."""
        good = compare_with_upstream(said("closed", "2.2.2"), [row("2.6.6", V.ABSENT)])
        bad = compare_with_upstream(
            failure(id="lib-1", upstream={"state": "open"}), [row("2.6.6", V.ABSENT, failure="lib-1")]
        )
        text = matrix_markdown([], project(tmp_path).catalog, [good, bad])
        assert "Not as upstream says: 1 of 2 failures." in text
        assert text.index("| lib-1 | open |") < text.index(f"| {FAILURE} | closed, fixed in lightning 2.2.2 |")


def test_two_environments_decide() -> None:
    """A newest release that writes and reads by itself does not contradict an open report about two releases."""
    stages = [
        {"name": "write", "role": "writer", "meaning": "writes", "affected": [{"lightning": "<2.2.0"}]},
        {"name": "read", "role": "reader", "meaning": "reads"},
    ]
    record = said("open", affected=[{"lightning": ">=2.2.0"}], stages=stages)
    alone = row("2.6.6", V.ABSENT).model_copy(update={"expected": Expectation.ABSENT})
    assert compare_with_upstream(record, [alone]).reading is UpstreamAgreement.NOT_JUDGED
    pair = row("2.6.6", V.ABSENT, roles={"writer": "old"}).model_copy(update={"expected": Expectation.REPRODUCED})
    assert rules(compare_with_upstream(record, [alone, pair])) == [Rule.OPEN_BUT_GONE]
