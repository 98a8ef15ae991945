"""Expectation, status, merging and the exit code."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.model.affected import inapplicable, is_affected
from repro.model.errors import Exit
from repro.model.verdict import Expectation, Judgement, Status, Verdict
from repro.verdict.status import exit_code, expect, merge_verdicts, status
from tests.unit.factories import REJECTION, STAGES, cell, failure


class TestAffected:
    """The affected set is the union of the record's alternatives."""

    @pytest.mark.parametrize(
        ("version", "affected"),
        [
            ("2.0.9", False),
            ("2.1.0", True),
            ("2.1.0rc1", False),
            ("2.1.0.post0", True),
            ("2.1", True),
            ("2.2.1", True),
            ("2.2.1.post1", True),
            ("2.2.1+cu121", True),
            ("2.2.2rc1", False),
            ("2.2.2.dev20240401", False),
            ("2.2.2", False),
            ("2.10.0", False),
            ("3.0.0", False),
        ],
    )
    def test_one_alternative(self, version: str, affected: bool) -> None:
        """Versions are compared as PEP 440 has them; a pre-release of the fixed release is not below it."""
        assert is_affected(failure(), {"lightning": version}) is affected

    @pytest.mark.parametrize(("version", "affected"), [("2.2.0rc1", True), ("2.3.0a1", True), ("2.4.0.dev1", True)])
    def test_pre_releases_inside(self, version: str, affected: bool) -> None:
        """A pre-release inside the range counts although the specifier names none."""
        assert is_affected(failure(affected=[{"lightning": ">=2.1"}]), {"lightning": version}) is affected

    def test_union(self) -> None:
        """One alternative is enough; inside an alternative all distributions must hold."""
        record = failure(affected=[{"lightning": "<2.0"}, {"lightning": ">=2.1", "torch": ">=2.2,<2.4"}])
        for lightning, torch, affected in (
            ("1.9", "1.13", True),
            ("2.1", "2.2.2+cpu", True),
            ("2.1", "2.4.0", False),
            ("2.0", "2.2.2", False),
        ):
            assert is_affected(record, {"lightning": lightning, "torch": torch}) is affected, (lightning, torch)

    def test_not_installed(self) -> None:
        """What is not installed is not affected."""
        assert not is_affected(failure(), {"torch": "2.2.2"})

    def test_unreadable_version(self) -> None:
        """A version that no PEP 440 reader knows lies in no range; nothing breaks."""
        assert not is_affected(failure(), {"lightning": "unknown"})


class TestInapplicable:
    """What the record needs decides whether a failure applies."""

    NEEDS = {"distributions": {"torch": ">=2.2", "accelerate": ""}}

    def test_nothing_needed(self) -> None:
        """No needs: it applies everywhere."""
        assert inapplicable(failure(), {}) is None

    def test_not_installed(self) -> None:
        """A missing distribution is named."""
        assert inapplicable(failure(needs=self.NEEDS), {"torch": "2.2"}) == "needs accelerate, which is not installed"

    def test_other_version(self) -> None:
        """A version outside is named with what is needed."""
        reason = inapplicable(failure(needs=self.NEEDS), {"torch": "2.1.2", "accelerate": "1"})
        assert reason == "needs torch>=2.2, found 2.1.2"

    def test_pre_release(self) -> None:
        """A pre-release of a later version, or a local build, satisfies the need."""
        for version in ("2.5.0a0", "2.2.0+cpu"):
            assert inapplicable(failure(needs=self.NEEDS), {"torch": version, "accelerate": "1.0"}) is None

    def test_unreadable_version(self) -> None:
        """An unreadable version is no crash but a reason."""
        assert "found trunk" in str(inapplicable(failure(needs=self.NEEDS), {"torch": "trunk", "accelerate": "1"}))


class TestExpect:
    """What the record says of a cell."""

    @pytest.mark.parametrize(
        ("version", "changes", "expected"),
        [
            ("2.2.1", {}, Expectation.REPRODUCED),
            ("2.2.2", {}, Expectation.ABSENT),
            ("2.2.1", {"backport": "cure"}, Expectation.ABSENT),
            ("2.2.1", {"backport": "placebo"}, Expectation.REPRODUCED),
            ("2.2.1", {"backport": "refusal"}, Expectation.REJECTED),
            ("2.2.2", {"backport": "cure"}, Expectation.ABSENT),
            ("2.2.2", {"backport": "refusal"}, Expectation.ABSENT),
            ("2.2.1", {"backport": "unknown"}, Expectation.REPRODUCED),
            ("2.2.1", {"factors": {"state-dict-type": "full"}}, Expectation.NONE),
            ("2.2.2", {"factors": {"world-size": "4"}}, Expectation.NONE),
            ("2.2.1", {"factors": {"state-dict-type": "full"}, "backport": "cure"}, Expectation.NONE),
        ],
    )
    def test_by_version(self, version: str, changes: dict[str, Any], expected: Expectation) -> None:
        """Affected, fixed, with each kind of backport, and with changed factors."""
        assert expect(failure(), cell(**changes), {"lightning": version}) is expected

    @pytest.mark.parametrize("changes", [{}, {"backport": "cure"}])
    def test_rejected(self, changes: dict[str, Any]) -> None:
        """A release that refuses is expected to refuse."""
        record = failure(rejected=[REJECTION])
        assert expect(record, cell(**changes), {"lightning": "2.2.2"}) is Expectation.REJECTED

    def test_affected_before_rejected(self) -> None:
        """Where both cover a release, the failure is expected."""
        record = failure(rejected=[REJECTION | {"releases": {"lightning": ">=2.2"}}])
        assert expect(record, cell(), {"lightning": "2.2.1"}) is Expectation.REPRODUCED

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            ("2.2.3.dev0", Expectation.ABSENT),
            ("2.2.4.dev0", Expectation.NONE),
            ("2.2.5.dev0", Expectation.REJECTED),
        ],
    )
    def test_development_version_beside_a_release_that_refuses(self, version: str, expected: Expectation) -> None:
        """Its code lies between two releases: where only one of them refuses, the record says nothing of it."""
        record = failure(rejected=[REJECTION | {"releases": {"lightning": ">=2.2.4"}}])
        assert expect(record, cell(), {"lightning": version}) is expected

    @pytest.mark.parametrize("changes", [{}, {"backport": "cure"}])
    def test_development_version_beside_a_release_with_the_failure(self, changes: dict[str, Any]) -> None:
        """Nor does it say anything where only one has the failure; a backport that cures makes no difference."""
        assert expect(failure(), cell(**changes), {"lightning": "2.2.2.dev0"}) is Expectation.NONE

    def test_stages_in_one_environment(self) -> None:
        """Where no role has an environment of its own, the one that there is has all of them."""
        assert expect(failure(stages=STAGES), cell(), {"lightning": "2.2.1"}) is Expectation.REPRODUCED
        older = [STAGES[0] | {"affected": [{"lightning": "<2.2"}]}, STAGES[1]]
        assert expect(failure(stages=older), cell(), {"lightning": "2.2.1"}) is Expectation.ABSENT

    def test_environment_does_not_matter(self) -> None:
        """The versions decide, not the environment's name."""
        assert expect(failure(), cell(environment="fixed"), {"lightning": "2.2.1"}) is Expectation.REPRODUCED


TABLE = {
    (Verdict.REPRODUCED, Expectation.REPRODUCED): Status.AS_DOCUMENTED,
    (Verdict.REPRODUCED, Expectation.ABSENT): Status.RELAPSED,
    (Verdict.REPRODUCED, Expectation.REJECTED): Status.RELAPSED,
    (Verdict.REPRODUCED, Expectation.NONE): Status.UNJUDGED,
    (Verdict.ABSENT, Expectation.REPRODUCED): Status.CURED,
    (Verdict.ABSENT, Expectation.ABSENT): Status.AS_DOCUMENTED,
    (Verdict.ABSENT, Expectation.REJECTED): Status.DRIFTED,
    (Verdict.ABSENT, Expectation.NONE): Status.UNJUDGED,
    (Verdict.REJECTED, Expectation.REPRODUCED): Status.DRIFTED,
    (Verdict.REJECTED, Expectation.ABSENT): Status.DRIFTED,
    (Verdict.REJECTED, Expectation.REJECTED): Status.AS_DOCUMENTED,
    (Verdict.REJECTED, Expectation.NONE): Status.UNJUDGED,
    (Verdict.DIFFERENT, Expectation.REPRODUCED): Status.DRIFTED,
    (Verdict.DIFFERENT, Expectation.ABSENT): Status.DRIFTED,
    (Verdict.DIFFERENT, Expectation.REJECTED): Status.DRIFTED,
    (Verdict.DIFFERENT, Expectation.NONE): Status.UNJUDGED,
    **{
        (verdict, expected): Status.UNKNOWN
        for verdict in (Verdict.UNRUNNABLE, Verdict.FLAKY)
        for expected in Expectation
    },
}


@pytest.mark.parametrize(("verdict", "expected"), list(itertools.product(Verdict, Expectation)))
def test_status_table(verdict: Verdict, expected: Expectation) -> None:
    """Every verdict against every expectation has the status that the table says."""
    assert status(verdict, expected) is TABLE[verdict, expected]


SINGLE = [verdict for verdict in Verdict if verdict is not Verdict.FLAKY]


class TestMerge:
    """Several runs of one cell have one verdict."""

    def test_one(self) -> None:
        """One run is its own merge: 1 of 1."""
        judgement = Judgement(Verdict.ABSENT, "why", 0, "words")
        merged = merge_verdicts([judgement])
        assert (merged.judgement, merged.k, merged.n) == (judgement, 1, 1)

    def test_all_agree(self) -> None:
        """Where all agree their verdict stands, with the first one's words."""
        merged = merge_verdicts([Judgement(Verdict.REPRODUCED, "first"), Judgement(Verdict.REPRODUCED, "second")])
        assert (merged.judgement.verdict, merged.judgement.reason, merged.k, merged.n) == (
            Verdict.REPRODUCED, "first", 2, 2,
        )  # fmt: skip

    @pytest.mark.parametrize(("first", "second"), list(itertools.permutations(SINGLE, 2)))
    def test_two_disagree(self, first: Verdict, second: Verdict) -> None:
        """Any two that differ are flaky; a run that showed nothing differs from none, and makes no pass either."""
        merged = merge_verdicts([Judgement(first, ""), Judgement(second, "")])
        expected = Verdict.UNRUNNABLE if Verdict.UNRUNNABLE in {first, second} else Verdict.FLAKY
        assert (merged.judgement.verdict, merged.k, merged.n) == (expected, 1, 2)

    def test_one_of_three_showed_nothing(self) -> None:
        """The two that agree do not hide it: it is counted, and says why."""
        late = Judgement(Verdict.UNRUNNABLE, "no end within 45 s", 1, "", "somewhere")
        merged = merge_verdicts([Judgement(Verdict.ABSENT, ""), late, Judgement(Verdict.ABSENT, "")])
        reason = "2 absent, 1 unrunnable: no end within 45 s"
        assert merged.judgement == Judgement(Verdict.UNRUNNABLE, reason, 1, "", "somewhere")
        assert (merged.k, merged.n) == (1, 3)

    def test_flaky_although_one_showed_nothing(self) -> None:
        """Runs that disagree are flaky, whatever else there is."""
        verdicts = (Verdict.ABSENT, Verdict.UNRUNNABLE, Verdict.REPRODUCED)
        assert merge_verdicts([Judgement(verdict, "") for verdict in verdicts]).judgement.verdict is Verdict.FLAKY

    def test_majority_does_not_count(self) -> None:
        """Nine of ten are flaky, with the count in the reason."""
        merged = merge_verdicts([*[Judgement(Verdict.ABSENT, "")] * 9, Judgement(Verdict.REPRODUCED, "")])
        assert (merged.judgement.verdict, merged.k, merged.n) == (Verdict.FLAKY, 9, 10)
        assert "9 absent, 1 reproduced" in merged.judgement.reason

    def test_evidence_of_the_majority(self) -> None:
        """Evidence and rank come from the first run that had the most frequent verdict."""
        merged = merge_verdicts(
            [
                Judgement(Verdict.ABSENT, "", 0, "the oracle agrees"),
                Judgement(Verdict.REPRODUCED, "", 1, "first KeyError"),
                Judgement(Verdict.REPRODUCED, "", 2, "second KeyError"),
            ]
        )
        assert merged.judgement == Judgement(
            Verdict.FLAKY, "the runs disagree: 1 absent, 2 reproduced", 1, "first KeyError"
        )

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.sampled_from(SINGLE), min_size=1, max_size=6).flatmap(
            lambda run: st.tuples(st.just(run), st.permutations(run))
        )
    )
    def test_order_does_not_matter(self, runs: tuple[list[Verdict], list[Verdict]]) -> None:
        """Verdict, reason and count are the same in any order of the runs."""
        first, second = (merge_verdicts([Judgement(verdict, "") for verdict in verdicts]) for verdicts in runs)
        assert first.judgement.verdict is second.judgement.verdict
        assert (first.judgement.reason, first.k, first.n) == (second.judgement.reason, second.k, second.n)
        assert (first.judgement.verdict is Verdict.FLAKY) == (len(set(runs[0]) - {Verdict.UNRUNNABLE}) > 1)


CHANGED = [Status.RELAPSED, Status.CURED, Status.DRIFTED]


class TestExitCode:
    """What changed weighs more than what could not be told, that more than the rest."""

    def test_nothing(self) -> None:
        """No statuses: nothing changed."""
        assert exit_code([]) is Exit.OK

    @pytest.mark.parametrize("fine", [Status.AS_DOCUMENTED, Status.UNJUDGED])
    def test_fine(self, fine: Status) -> None:
        """As documented, or without an expectation: 0."""
        assert exit_code([fine, Status.AS_DOCUMENTED]) is Exit.OK

    @pytest.mark.parametrize("changed", CHANGED)
    def test_changed(self, changed: Status) -> None:
        """Any change: 1, in any company and order."""
        assert exit_code([Status.UNKNOWN, changed, Status.AS_DOCUMENTED]) is Exit.CHANGED
        assert exit_code([changed, Status.UNKNOWN]) is Exit.CHANGED

    def test_unknown(self) -> None:
        """Something could not be told: 3."""
        assert exit_code([Status.AS_DOCUMENTED, Status.UNKNOWN, Status.UNJUDGED]) is Exit.UNKNOWN

    def test_every_status_is_weighed(self) -> None:
        """A status that is added later must be given its weight here."""
        weights = {state: exit_code([state]) for state in Status}
        assert weights == {
            Status.AS_DOCUMENTED: Exit.OK,
            Status.UNJUDGED: Exit.OK,
            Status.RELAPSED: Exit.CHANGED,
            Status.CURED: Exit.CHANGED,
            Status.DRIFTED: Exit.CHANGED,
            Status.UNKNOWN: Exit.UNKNOWN,
        }

    def test_numbers(self) -> None:
        """The numbers are promised to scripts."""
        assert {code.name: code.value for code in Exit} == {
            "OK": 0, "CHANGED": 1, "USAGE": 2, "UNKNOWN": 3, "INTERRUPTED": 130,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"lightning": "2.2.1", "python": "3.12.1"}, Expectation.REPRODUCED),
        ({"lightning": "2.2.1", "python": "3.11.7"}, Expectation.ABSENT),
        ({"lightning": "2.2.1", "python": "3.12.1", "numpy": "2.2"}, Expectation.ABSENT),
    ],
)
def test_python_and_absence(versions: dict[str, str], expected: Expectation) -> None:
    """The interpreter's version and what is not installed decide as releases do."""
    affected = [{"lightning": ">=2.1.0,<2.2.2", "python": ">=3.12", "numpy": "absent"}]
    assert expect(failure(affected=affected), cell(), versions) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.2.2.dev0", Expectation.NONE),
        ("2.2.2.dev0+gabc", Expectation.NONE),
        ("2.2.1.dev5", Expectation.REPRODUCED),
        ("2.1.0.dev0", Expectation.NONE),
        ("2.4.0.dev0", Expectation.ABSENT),
        ("2.2.2rc1", Expectation.ABSENT),
    ],
)
def test_development_version(version: str, expected: Expectation) -> None:
    """Near a bound nothing is expected: its code lies between two releases of which one has the failure."""
    assert expect(failure(), cell(), {"lightning": version}) is expected
