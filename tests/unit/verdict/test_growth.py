"""A growth is judged by the numbers of its windows, not by the script's word alone."""

from typing import Any

import pytest

from repro.model.failure import Failure
from repro.model.growth import windows_of
from repro.model.verdict import Judgement, Verdict
from repro.verdict.growth import with_growth
from repro.verdict.judge import judge
from tests.unit.factories import failed, failure, observation, raised, rank, script_frame

GROWTH = {"quantity": "objects", "measured": "loaders", "ratio": 1.5}
SIGNATURE = {"kind": "growth", "type": "AssertionError", "message": "^loaders grow", "function": "main", "ranks": "all"}
GROWS = {"first": [4, 5], "second": [8, 10], "same": [[1, 1], [1, 1]]}
STAYS = {"first": [4, 5], "second": [5, 5], "same": [[1, 1], [1, 1]]}


def record() -> Failure:
    return failure(kind="growth", growth=GROWTH, signature=SIGNATURE)


def grown(*windows: Any) -> Any:
    error = raised("AssertionError", "loaders grow 2-fold", script_frame("main"))
    return observation(*(failed(number, error, measured={"loaders": found}) for number, found in enumerate(windows)))


def passed(*windows: Any) -> Any:
    return observation(*(rank(number, measured={"loaders": found}) for number, found in enumerate(windows)))


class TestReproduced:
    """The assertion, and the numbers of each rank that shows it."""

    def test_grows(self) -> None:
        judgement = judge(record(), grown(GROWS, GROWS))
        assert judgement.verdict is Verdict.REPRODUCED
        assert judgement.reason.endswith("objects: 2 times in the second window (bound 1.5, A/A 1)")

    @pytest.mark.parametrize(
        ("windows", "why"),
        [
            (None, "measured no windows"),
            ({"first": [1, 2]}, "measured no windows"),
            ({**GROWS, "first": [float("nan"), 1.0]}, "measured no windows"),
            ({**GROWS, "first": [5]}, "measured no windows"),
            ({**GROWS, "same": [[4, 4], [5, 5]]}, "too much noise: two equal windows differ by a factor of 1.25"),
            ({**GROWS, "same": [[5, 5], [4, 4]]}, "too much noise"),
            ({**GROWS, "same": [[1, 1], [0, 0]]}, "too much noise"),
            (STAYS, "fails, but loaders changed by a factor of 1.11"),
        ],
    )
    def test_not_supported(self, windows: Any, why: str) -> None:
        """One rank whose numbers do not support it is enough."""
        judgement = judge(record(), grown(GROWS, windows))
        assert judgement.verdict is Verdict.UNRUNNABLE
        assert why in judgement.reason
        assert judgement.rank == 1

    def test_just_at_the_bound(self) -> None:
        bound = {**GROWS, "first": [2, 2], "second": [3, 3]}
        assert judge(record(), grown(bound, bound)).verdict is Verdict.REPRODUCED

    @pytest.mark.parametrize(
        ("ratio", "same", "verdict"),
        [
            (1.5, [[10, 10], [12, 12]], Verdict.REPRODUCED),  # 1.2 is nearer to 1 than to 1.5
            (2.25, [[2, 2], [3, 3]], Verdict.UNRUNNABLE),  # 1.5 is in the middle between 1 and 2.25
        ],
    )
    def test_noise_just_at_the_bound(self, ratio: float, same: list[list[float]], verdict: Verdict) -> None:
        grows = {"first": [1, 1], "second": [3, 3], "same": same}
        made = failure(kind="growth", growth={**GROWTH, "ratio": ratio}, signature=SIGNATURE)
        assert judge(made, grown(grows, grows)).verdict is verdict

    def test_only_ranks_with_the_signature_need_numbers(self) -> None:
        """A rank that passed, or failed otherwise, beside the one that shows the growth."""
        other = failed(1, raised("OSError", "Connection closed by peer"))
        reproduced = Judgement(Verdict.REPRODUCED, "as documented")
        for beside in (rank(1), other):
            judgement = with_growth(record(), observation(grown(GROWS).ranks[0], beside), reproduced)
            assert (judgement.verdict, judgement.reason[:24]) == (Verdict.REPRODUCED, "as documented; objects: ")

    def test_the_first_rank_is_shown(self) -> None:
        """The numbers of one rank stand in the reason."""
        more = {**GROWS, "second": [12, 15]}
        assert "objects: 2 times" in judge(record(), grown(GROWS, more)).reason

    def test_something_of_nothing(self) -> None:
        nothing = {**GROWS, "first": [0, 0]}
        assert judge(record(), grown(nothing, nothing)).verdict is Verdict.REPRODUCED


class TestAbsent:
    """A pass needs the numbers too."""

    def test_stays(self) -> None:
        judgement = judge(record(), passed(STAYS, STAYS))
        assert judgement.verdict is Verdict.ABSENT
        assert "1.11 times" in judgement.reason

    @pytest.mark.parametrize("windows", [None, GROWS, {**STAYS, "same": [[4, 4], [8, 8]]}])
    def test_not_supported(self, windows: Any) -> None:
        assert judge(record(), passed(STAYS, windows)).verdict is Verdict.UNRUNNABLE

    def test_the_script_and_the_numbers_disagree(self) -> None:
        judged = judge(record(), passed(STAYS, GROWS))
        assert judged.reason == "rank 1 passes, but loaders changed by a factor of 2, where 1.5 is the bound"


class TestOtherSignature:
    """Where a run has another signature of the record, which is no growth, no windows are asked for."""

    def test_no_windows_are_needed(self) -> None:
        other = record().model_copy(update={"signature": failure().signature})
        judgement = Judgement(Verdict.REPRODUCED, "as documented")
        assert with_growth(other, passed(None), judgement) is judgement
        assert with_growth(failure(), passed(None), judgement) is judgement

    @pytest.mark.parametrize("verdict", sorted(set(Verdict) - {Verdict.REPRODUCED, Verdict.ABSENT}))
    def test_what_is_no_conclusion_stays(self, verdict: Verdict) -> None:
        judgement = Judgement(verdict, "some reason")
        assert with_growth(record(), passed(None), judgement) is judgement


class TestRecord:
    """What grows and the signature go together."""

    def test_both_or_neither(self) -> None:
        with pytest.raises(ValueError, match="both or neither"):
            failure(growth=GROWTH)
        with pytest.raises(ValueError, match="both or neither"):
            failure(signature=SIGNATURE)

    @pytest.mark.parametrize(
        "changes",
        [
            {"signatures": [{"releases": {"lightning": "<2.2"}, "signature": SIGNATURE, "why": "older"}]},
            {"differs_in": {"cpu": {"signature": SIGNATURE, "why": "on CPU"}}},
            {
                "stages": [
                    {"name": "write", "role": "writer", "meaning": "writes", "signature": SIGNATURE},
                    {"name": "read", "role": "reader", "meaning": "reads"},
                ]
            },
        ],
    )
    def test_other_signatures_too(self, changes: dict[str, Any]) -> None:
        """No signature of this kind is judged by the script's word alone."""
        with pytest.raises(ValueError, match="both or neither"):
            failure(**changes)
        assert failure(**changes, growth=GROWTH).growth

    @pytest.mark.parametrize("ratio", [1, 0.5, -2])
    def test_a_bound_below_one(self, ratio: float) -> None:
        with pytest.raises(ValueError, match="greater than 1"):
            failure(signature=SIGNATURE, growth={**GROWTH, "ratio": ratio})

    def test_another_failure_is_different(self) -> None:
        other = raised("AssertionError", "weights differ", script_frame("main"))
        assert judge(record(), observation(failed(0, other), failed(1, other))).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("value", [3, "text", [], {"first": [1, 2], "second": [1, 2], "same": [[1, 2]]}])
def test_no_windows(value: Any) -> None:
    assert windows_of(value) is None
