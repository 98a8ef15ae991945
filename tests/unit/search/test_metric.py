"""A number as the judge: what it decides, what it refuses, and how often it is wrong where the noise is known."""

import random

import pytest

from repro.errors import UsageError
from repro.model.verdict import Side
from repro.search.metric import END_RUNS, ERROR, MOST_RUNS, Inseparable, MetricRule, check_metric, plan, value_of
from tests.unit.factories import observation, rank

STEPS = 13


def drawn(generator: random.Random, mean: float, runs: int) -> list[float]:
    return [generator.gauss(mean, 1.0) for _ in range(runs)]


class TestPlan:
    def test_numbers_without_noise_need_one_run(self) -> None:
        rule = plan("loss", [2.0] * END_RUNS, [2.001] * END_RUNS, STEPS)
        assert isinstance(rule, MetricRule)
        assert (rule.runs, rule.side([2.0]), rule.side([2.001])) == (1, Side.GOOD, Side.BAD)

    def test_a_third_value_is_neither(self) -> None:
        rule = plan("loss", [2.0] * END_RUNS, [2.1] * END_RUNS, STEPS)
        assert isinstance(rule, MetricRule)
        assert rule.side([1.5]) is Side.SKIP
        assert rule.side([9.0]) is Side.SKIP

    def test_the_bad_end_may_be_the_lower_one(self) -> None:
        rule = plan("speed", [100.0] * END_RUNS, [80.0] * END_RUNS, STEPS)
        assert isinstance(rule, MetricRule)
        assert rule.side([81.0]) is Side.BAD

    def test_equal_ends_are_refused(self) -> None:
        assert isinstance(plan("loss", [2.0] * 5, [2.0] * 5, STEPS), Inseparable)
        assert isinstance(plan("loss", [2.0, 2.1, 2.2, 2.3, 2.4], [2.35, 2.5, 2.6, 2.7, 2.8], STEPS), Inseparable)

    def test_more_noise_needs_more_runs(self) -> None:
        needed = []
        for noise in (0.01, 0.3, 0.6):
            good, bad = ([mean + noise * step for step in (-1, -0.5, 0, 0.5, 1)] for mean in (0.0, 4.0))
            rule = plan("loss", good, bad, STEPS)
            assert isinstance(rule, MetricRule)
            needed.append(rule.runs)
        assert needed == sorted(needed)
        assert 1 == needed[0] < needed[-1] <= MOST_RUNS


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])
def test_a_simulated_search_is_seldom_wrong(distance: float) -> None:
    """Ends so many spreads apart: of all searches asked, at most the stated share has a wrong step.

    From 4 spreads on, as ``docs/how-to/your-own-script.md`` says, the same holds for the answered ones alone.
    """
    generator = random.Random(int(distance * 100))
    searches, begun, wrong = 6000 if distance == 4 else 1500, 0, 0
    for _ in range(searches):
        rule = plan("x", drawn(generator, 0, END_RUNS), drawn(generator, distance, END_RUNS), STEPS)
        if isinstance(rule, Inseparable):
            continue
        begun += 1
        sides = [(Side.GOOD, 0.0), (Side.BAD, distance)]
        wrong += any(
            rule.side(drawn(generator, mean, rule.runs)) is side.opposite
            for side, mean in (sides[n % 2] for n in range(STEPS))
        )
    assert wrong <= ERROR * searches
    if distance >= 4:
        assert wrong <= ERROR * begun
    if distance >= 8:
        assert begun > searches / 2, "ends that are clear enough are searched"


def test_equal_ends_are_seldom_taken_for_different() -> None:
    generator = random.Random(7)
    plans = [plan("x", drawn(generator, 0, END_RUNS), drawn(generator, 0, END_RUNS), STEPS) for _ in range(3000)]
    assert sum(isinstance(found, MetricRule) for found in plans) <= 3000 * 0.01


class TestValue:
    def test_of_measurements(self) -> None:
        first = rank(0, measured={"loss": 3.0}, series={"loss": (5.0, 4.0, 3.0)})
        held = observation(first, rank(1, measured={"loss": 7.0}))
        assert value_of("loss", held) == 3.0
        assert value_of("loss@2", held) == 4.0
        assert value_of("loss@4", held) is None
        assert value_of("other", held) is None
        assert value_of("loss@1", observation(rank(0, measured={"loss": 3.0}))) == 3.0

    def test_of_memory(self) -> None:
        assert value_of("peak_memory", observation(rank(0, peak_bytes=5), rank(1, peak_bytes=9))) == 9.0
        assert value_of("peak_memory", observation(rank(0, peak_bytes=5), rank(1))) is None

    def test_text_is_no_number(self) -> None:
        assert (
            value_of("loss", observation(rank(0, measured={"loss": "NaN"}), rank(1, measured={"loss": True}))) is None
        )


@pytest.mark.parametrize("text", ["loss@", "Loss", "loss@0", "a b", "loss@x"])
def test_what_is_no_metric(text: str) -> None:
    with pytest.raises(UsageError, match="--metric"):
        check_metric(text)
