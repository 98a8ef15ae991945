"""A failure that shows in some runs only."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from repro.model.failure import Failure
from repro.model.rate import Rate
from repro.model.verdict import Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.rare import is_settled, launchers_differ
from repro.verdict.result import judge_repetitions
from tests.unit.factories import failed, failure, observation, raised, rank

RATE = {"runs": 20, "at_least": 8}
SHOWN = observation(failed(0), failed(1))
CLEAN = observation(rank(0), rank(1))
NOTHING = observation(fault="no slots", installed=None)
OTHER = observation(*(failed(number, raised("TypeError", "other")) for number in (0, 1)))
SIX = 6
"""0.6 to the power of 6 is below 5 %."""


def rare(**changes: Any) -> Failure:
    return failure(rate=RATE, **changes)


class TestMerge:
    """Seen once is reproduced; not seen is absent only after enough clean runs."""

    def test_seen(self) -> None:
        result = judge_repetitions(rare(), [CLEAN, SHOWN, CLEAN])
        assert (result.verdict, result.status, result.k, result.n) == (
            Verdict.REPRODUCED, Status.AS_DOCUMENTED, 1, 3,
        )  # fmt: skip
        assert result.judgement.reason.endswith("in 1 of 3 runs")
        assert result.newest is SHOWN

    def test_enough_clean_runs(self) -> None:
        """The reason states the bound: 1 - 0.05 ** (1 / 6) of runs."""
        result = judge_repetitions(rare(), [CLEAN] * SIX)
        assert (result.verdict, result.status, result.k, result.n) == (Verdict.ABSENT, Status.CURED, 6, 6)
        assert "6 runs without the failure: with 95 % confidence it shows in fewer than 39.3 % of runs" in (
            result.judgement.reason
        )

    @pytest.mark.parametrize("clean", range(1, SIX))
    def test_too_few(self, clean: int) -> None:
        """Fewer clean runs say nothing, however many others showed nothing."""
        result = judge_repetitions(rare(), [CLEAN] * clean + [NOTHING] * (SIX - clean))
        assert (result.verdict, result.status) == (Verdict.UNRUNNABLE, Status.UNKNOWN)
        runs = "1 run" if clean == 1 else f"{clean} runs"
        assert result.judgement.reason.startswith(f"{runs} without the failure: ")
        assert result.judgement.reason.endswith("asks for 6 (95 % confidence)")

    def test_what_shows_nothing_counts_for_neither(self) -> None:
        assert judge_repetitions(rare(), [CLEAN] * SIX + [NOTHING]).verdict is Verdict.ABSENT
        seen = judge_repetitions(rare(), [NOTHING, SHOWN, CLEAN])
        assert (seen.verdict, seen.k, seen.n) == (Verdict.REPRODUCED, 1, 2)
        assert judge_repetitions(rare(), [NOTHING, NOTHING]).verdict is Verdict.UNRUNNABLE

    @pytest.mark.parametrize("runs", [[SHOWN, OTHER], [CLEAN] * SIX + [OTHER], [SHOWN, CLEAN, OTHER]])
    def test_another_failure_beside_it(self, runs: Sequence[Any]) -> None:
        """Another failure is not covered by the rate."""
        assert judge_repetitions(rare(), runs).verdict is Verdict.FLAKY

    def test_another_failure_alone(self) -> None:
        assert judge_repetitions(rare(), [OTHER, OTHER]).verdict is Verdict.DIFFERENT

    def test_without_a_rate_nothing_changes(self) -> None:
        assert judge_repetitions(failure(), [CLEAN, SHOWN]).verdict is Verdict.FLAKY
        assert judge_repetitions(failure(), [CLEAN]).verdict is Verdict.ABSENT


class TestLaunchers:
    """Launchers disagree if one never shows in enough runs what the other shows."""

    W, T = observation(failed(0), failed(1)), CLEAN.model_copy(update={"launcher": "torchrun"})

    def test_too_few_runs_do_not_disagree(self) -> None:
        assert judge_repetitions(rare(), [self.W, *[self.T] * 5]).verdict is Verdict.REPRODUCED

    def test_enough_runs_do(self) -> None:
        warm = SHOWN.model_copy(update={"launcher": "warm"})
        result = judge_repetitions(rare(), [warm, *[self.T] * SIX])
        assert result.verdict is Verdict.UNRUNNABLE
        assert (
            result.judgement.reason == "launchers disagree: it shows with warm in 1 of 1 runs, torchrun in 0 of 6 runs"
        )

    def test_either_way(self) -> None:
        rate, never = Rate.model_validate(RATE), [Verdict.ABSENT] * SIX
        assert launchers_differ(rate, never, [Verdict.REPRODUCED])
        assert not launchers_differ(rate, never, never)
        assert not launchers_differ(rate, [*never[1:], Verdict.UNRUNNABLE], [Verdict.REPRODUCED])


class TestSettled:
    """When no further run is needed."""

    R, A, U, D = Verdict.REPRODUCED, Verdict.ABSENT, Verdict.UNRUNNABLE, Verdict.DIFFERENT

    @pytest.mark.parametrize(
        ("verdicts", "least", "settled"),
        [
            ([], 1, False),
            ([R], 1, True),
            ([D], 1, True),
            ([R], 3, False),
            ([R, A, A], 3, True),
            ([A] * 5, 1, False),
            ([A] * 6, 1, True),
            ([U] * 8, 1, False),
            ([U] * 9, 1, True),
            ([A] * 6, 8, False),
        ],
    )
    def test_settled(self, verdicts: list[Verdict], least: int, settled: bool) -> None:
        assert is_settled(Rate.model_validate(RATE), verdicts, least) is settled


class TestRate:
    """How many clean runs a rate asks for."""

    @pytest.mark.parametrize(
        ("runs", "at_least", "confidence", "clean"),
        [(20, 8, 0.95, 6), (20, 1, 0.95, 59), (2, 1, 0.75, 2), (4, 3, 0.9, 2)],
    )
    def test_clean_runs(self, runs: int, at_least: int, confidence: float, clean: int) -> None:
        rate = Rate(runs=runs, at_least=at_least, confidence=confidence)
        assert rate.clean_runs == clean
        assert (1 - rate.share) ** clean <= 1 - confidence + 1e-9

    def test_every_run(self) -> None:
        """A failure that shows in every run has no rate."""
        with pytest.raises(ValueError, match="has no rate"):
            Rate(runs=3, at_least=3)


class TestByTiming:
    """Another signature that any run may have."""

    OTHER: ClassVar[dict[str, Any]] = {
        "by_timing": True,
        "signature": {
            "type": "TypeError", "message": "^other$", "function": "save_checkpoint", "library": "lightning",
        },
        "why": "by the order of the ranks",
    }  # fmt: skip

    def test_either_signature(self) -> None:
        record = rare(signatures=[self.OTHER])
        assert judge(record, OTHER).verdict is Verdict.REPRODUCED
        assert judge(record, SHOWN).verdict is Verdict.REPRODUCED
        assert judge(record, CLEAN).verdict is Verdict.ABSENT
        assert judge(record, observation(failed(0, raised("OSError", "no")), failed(1))).verdict is Verdict.DIFFERENT

    def test_each_rank_may_show_another_one(self) -> None:
        other = {**self.OTHER, "signature": {**self.OTHER["signature"], "ranks": "any"}}
        record = rare(signatures=[other], signature={"ranks": "any"})
        ranks = failed(0, raised("TypeError", "other")), failed(1)
        assert judge(record, observation(*ranks)).verdict is Verdict.REPRODUCED
        ranks = failed(0, raised("OSError", "no"), at=9.0), failed(1)
        assert judge(record, observation(*ranks)).verdict is Verdict.DIFFERENT

    def test_its_other_conditions_hold_too(self) -> None:
        record = rare(signatures=[{**self.OTHER, "releases": {"lightning": ">=9"}}])
        assert judge(record, OTHER).verdict is Verdict.DIFFERENT
