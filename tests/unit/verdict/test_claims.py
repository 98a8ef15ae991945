"""Claims against evidence: what decides confirmed, refuted, partly and undecided."""

from collections.abc import Callable
from typing import Any

import pytest

from repro.model.errors import Exit, UsageError
from repro.model.failure import Claim, ClaimFinding, Evidence, Failure, Lane
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.verdict.claims import (
    CheckedEvidence,
    ExaminedClaim,
    cell_of,
    cells_of,
    examine,
    exit_code_of,
    finding_of,
    measurements,
    survey_cells,
    weigh,
)
from repro.verdict.result import Result, judge_repetitions
from tests.unit.factories import failed, failure, observation, rank

REPRODUCED = {"environment": "old", "predicts": "reproduced"}
ABSENT = {"environment": "new", "predicts": "absent"}


def claim(*evidence: dict[str, Any], verdict: str = "confirmed", name: str = "c") -> dict[str, Any]:
    comment = "" if evidence else "nobody can"
    facts = {"id": name, "kind": "symptom", "statement": "s", "verdict": verdict, "comment": comment}
    return facts | {"evidence": list(evidence)}


def record(*claims: dict[str, Any], **changes: Any) -> Failure:
    return failure(claims=list(claims), **changes)


def result(*seen: Observation) -> Result:
    return judge_repetitions(failure(), list(seen))


def passing(**measured: Any) -> Result:
    return result(observation(rank(0, measured=measured), rank(1)))


def failing(**measured: Any) -> Result:
    return result(observation(failed(0, measured=measured), failed(1)))


def flaky() -> Result:
    return result(observation(failed(0), failed(1)), observation())


def unrunnable() -> Result:
    return result(observation(fault="no such release"))


RESULTS: dict[str, Callable[[], Result]] = {"reproduced": failing, "absent": passing}


class TestPrediction:
    """A predicted verdict beside the observed one."""

    @pytest.mark.parametrize("predicted", ["reproduced", "absent", "rejected", "different"])
    @pytest.mark.parametrize("seen", ["reproduced", "absent"])
    def test_verdict(self, predicted: str, seen: str) -> None:
        """Holds exactly where they are equal; the reason names both."""
        evidence = Evidence.model_validate(REPRODUCED | {"predicts": predicted})
        checked = weigh(failure(), evidence, RESULTS[seen]())
        assert checked.holds is (predicted == seen)
        assert checked.why == (seen if predicted == seen else f"{seen} where {predicted} is predicted")
        assert checked.cell == cell_of(failure(), evidence)
        assert checked.evidence == evidence
        assert checked.result is not None

    @pytest.mark.parametrize("predicted", ["reproduced", "absent"])
    def test_not_run(self, predicted: str) -> None:
        """A cell without a result decides nothing."""
        checked = weigh(failure(), Evidence.model_validate(REPRODUCED | {"predicts": predicted}), None)
        assert (checked.holds, checked.why, checked.result) == (None, "not run", None)

    @pytest.mark.parametrize("predicted", ["reproduced", "absent", "different"])
    @pytest.mark.parametrize(("make", "word"), [(flaky, "flaky"), (unrunnable, "unrunnable: no such release")])
    def test_not_decided(self, predicted: str, make: Callable[[], Result], word: str) -> None:
        """Neither a flaky cell nor one that could not run decides, whatever is predicted."""
        evidence = Evidence.model_validate(REPRODUCED | {"predicts": predicted})
        checked = weigh(failure(), evidence, make())
        assert checked.holds is None
        assert checked.why.startswith(word)

    def test_any(self) -> None:
        """``any`` leaves the decision to the measurements, for every verdict."""
        evidence = Evidence(environment="old", predicts="any", measured={"x": "== 1"})
        for make in (failing, passing):
            assert weigh(failure(), evidence, make(x=1)).holds is True
            assert weigh(failure(), evidence, make(x=2)).holds is False


class TestMeasured:
    """A measurement beside a comparison."""

    @pytest.mark.parametrize(
        ("text", "fits", "fails"),
        [
            ("== 2", [2, 2.0], [1, 3, "2"]),
            ("!= 2", [1, "2"], [2]),
            ("< 2", [1, -5], [2, 3]),
            ("<= 2", [1, 2], [3]),
            ("> 2", [3], [2, 1]),
            (">= 2", [2, 3], [1]),
            ('contains "b"', ["abc", ["b"]], ["ac", ["abc"]]),
            ('lacks "b"', ["ac", ["abc"]], ["abc", ["b"]]),
        ],
    )
    def test_comparison(self, text: str, fits: list[Any], fails: list[Any]) -> None:
        """Every operator, on both sides of its bound."""
        evidence = Evidence(environment="new", predicts="absent", measured={"x": text})
        for value in fits:
            checked = weigh(failure(), evidence, passing(x=value))
            assert (checked.holds, checked.why) == (True, "absent")
        for value in fails:
            checked = weigh(failure(), evidence, passing(x=value))
            assert (checked.holds, checked.why) == (False, f"x is {value!r} where {text} is predicted")

    def test_not_measured(self) -> None:
        """A name that no rank states decides nothing."""
        evidence = Evidence(environment="new", predicts="absent", measured={"x": "== 1"})
        checked = weigh(failure(), evidence, passing(y=1))
        assert (checked.holds, checked.why) == (None, "x was not measured")

    def test_not_comparable(self) -> None:
        """Text against a number decides nothing."""
        evidence = Evidence(environment="new", predicts="absent", measured={"x": "< 1"})
        checked = weigh(failure(), evidence, passing(x="a"))
        assert (checked.holds, checked.why) == (None, "x is 'a', which cannot be compared by < 1")

    def test_all_must_fit(self) -> None:
        """One of several that does not fit refutes; the verdict is compared first."""
        evidence = Evidence(environment="new", predicts="absent", measured={"x": "== 1", "y": "== 1"})
        assert weigh(failure(), evidence, passing(x=1, y=1)).holds is True
        assert weigh(failure(), evidence, passing(x=1, y=2)).holds is False
        assert weigh(failure(), evidence, passing(x=2, y=1)).holds is False
        assert weigh(failure(), evidence, failing(x=1, y=1)).why == "reproduced where absent is predicted"

    def test_lowest_rank(self) -> None:
        """The lowest rank that states a name is believed; others add names."""
        seen = result(
            observation(rank(0, measured={"x": 1}), rank(1, measured={"x": 2, "y": 3}), rank(2, measured={"y": 4}))
        )
        assert measurements(seen) == {"x": 1, "y": 3}

    def test_newest(self) -> None:
        """Of repetitions the newest."""
        first, last = observation(rank(0, measured={"x": 1}), rank(1)), observation(rank(0, measured={"x": 2}), rank(1))
        assert measurements(result(first, last)) == {"x": result(first, last).newest.ranks[0].measured["x"]}


class TestCells:
    """The cells that claims and surveys ask for."""

    def test_cell(self) -> None:
        """Environment, factors, ranks, backport and lane are those of the evidence."""
        evidence = Evidence(
            environment="old",
            predicts="absent",
            factors={"state-dict-type": "full"},
            backport="cure",
            world_size=4,
            lane=Lane.CUDA,
        )
        cell = cell_of(failure(), evidence)
        assert cell.label == "lightning-19492 old cuda +cure state-dict-type=full world-size=4"
        assert cell.world_size == 4
        assert cell_of(failure(), Evidence.model_validate(REPRODUCED)).world_size == 2
        assert evidence.factors == {"state-dict-type": "full"}

    def test_unknown(self) -> None:
        """A name that the record does not know is refused."""
        with pytest.raises(UsageError, match="did you mean 'state-dict-type'"):
            cell_of(failure(), Evidence.model_validate(REPRODUCED | {"factors": {"state-dict-typ": "full"}}))

    def test_each_once(self) -> None:
        """Claims and surveys share cells; the record's order is kept."""
        survey = {
            "title": "t",
            "environments": ["old", "newer"],
            "rows": [{"label": "a"}, {"label": "b", "factors": {"state-dict-type": "full"}, "backport": "cure"}],
        }
        made = record(claim(REPRODUCED, ABSENT), claim(REPRODUCED, name="d"), surveys=[survey])
        assert [cell.label.removeprefix("lightning-19492 ") for cell in cells_of(made)] == [
            "old",
            "new",
            "newer",
            "old +cure state-dict-type=full",
            "newer +cure state-dict-type=full",
        ]
        table = survey_cells(made, made.surveys[0])
        assert [[cell.environment.label for cell in row] for row in table] == [["old", "newer"]] * 2
        assert [[cell.backport for cell in row] for row in table] == [[None, None], ["cure", "cure"]]

    def test_nothing(self) -> None:
        assert cells_of(record()) == []


def weighed(*holds: bool | None) -> list[CheckedEvidence]:
    evidence = Evidence.model_validate(REPRODUCED)
    return [CheckedEvidence(evidence, cell_of(failure(), evidence), None, item, "") for item in holds]


class TestFinding:
    """All hold: confirmed; none: refuted; some: partly; one that is not known: undecided."""

    @pytest.mark.parametrize(
        ("holds", "finding"),
        [
            ([True], ClaimFinding.CONFIRMED),
            ([True, True, True], ClaimFinding.CONFIRMED),
            ([False], ClaimFinding.REFUTED),
            ([False, False], ClaimFinding.REFUTED),
            ([True, False], ClaimFinding.PARTLY),
            ([False, True], ClaimFinding.PARTLY),
            ([None], None),
            ([True, None], None),
            ([None, False], None),
            ([True, False, None], None),
            ([], ClaimFinding.UNTESTABLE),
        ],
    )
    def test_finding(self, holds: list[bool | None], finding: ClaimFinding | None) -> None:
        assert finding_of(weighed(*holds)) is finding

    @pytest.mark.parametrize(
        ("published", "finding", "expected"),
        [
            ("confirmed", ClaimFinding.CONFIRMED, True),
            ("refuted", ClaimFinding.REFUTED, True),
            ("confirmed", ClaimFinding.REFUTED, False),
            ("partly", ClaimFinding.CONFIRMED, False),
            ("confirmed", None, None),
        ],
    )
    def test_as_published(self, published: str, finding: ClaimFinding | None, expected: bool | None) -> None:
        made = Claim.model_validate(claim(REPRODUCED, verdict=published))
        assert ExaminedClaim(made, (), finding).as_published is expected


class TestExamine:
    """A whole record against results by the label of their cell."""

    def test_examined(self) -> None:
        """Each claim with the evidence that decided it."""
        made = record(
            claim(REPRODUCED, ABSENT, name="both"),
            claim(ABSENT | {"predicts": "reproduced"}, name="wrong", verdict="refuted"),
            claim(REPRODUCED, ABSENT | {"environment": "missing"}, name="open"),
            claim(name="nobody", verdict="untestable"),
        )
        results = {"lightning-19492 old": failing(), "lightning-19492 new": passing()}
        found = examine(made, results)
        assert [item.claim.id for item in found] == ["both", "wrong", "open", "nobody"]
        assert [item.finding for item in found] == [
            ClaimFinding.CONFIRMED,
            ClaimFinding.REFUTED,
            None,
            ClaimFinding.UNTESTABLE,
        ]
        assert [[checked.holds for checked in item.weighed] for item in found] == [
            [True, True],
            [False],
            [True, None],
            [],
        ]
        assert found[0].weighed[0].result is results["lightning-19492 old"]
        assert found[0].weighed[1].result is results["lightning-19492 new"]
        assert found[0].weighed[1].result.verdict is Verdict.ABSENT

    def test_exit_code(self) -> None:
        """A changed finding goes before an undecided one."""
        made = [Claim.model_validate(claim(REPRODUCED, name=name)) for name in "abc"]
        right, wrong, undecided = (
            ExaminedClaim(item, (), finding)
            for item, finding in zip(made, (ClaimFinding.CONFIRMED, ClaimFinding.REFUTED, None), strict=True)
        )
        assert exit_code_of([]) is Exit.OK
        assert exit_code_of([right, right]) is Exit.OK
        assert exit_code_of([right, undecided]) is Exit.UNKNOWN
        assert exit_code_of([undecided, wrong, right]) is Exit.CHANGED
