"""A number as the judge: what it decides, what it refuses, and how often it is wrong where the noise is known."""

import random

import pytest

from repro.model.errors import UsageError
from repro.model.verdict import Side
from repro.search.metric import (
    CONFIDENCE,
    END_RUNS,
    ERROR,
    MOST_RUNS,
    PEAK_MEMORY,
    Inseparable,
    MetricRule,
    check_metric,
    plan,
    settle,
    value_of,
)
from tests.unit.factories import observation, rank

STEPS = 13


def drawn(generator: random.Random, mean: float, runs: int) -> list[float]:
    return [generator.gauss(mean, 1.0) for _ in range(runs)]


def learned(generator: random.Random, distance: float) -> MetricRule | Inseparable:
    """What a search learns from ends so many spreads apart, run as often as it asks for."""
    good: list[float] = []
    bad: list[float] = []

    def values(runs: int) -> tuple[list[float], list[float]]:
        good.extend(drawn(generator, 0, runs - len(good)))
        bad.extend(drawn(generator, distance, runs - len(bad)))
        return good, bad

    return settle("x", values, STEPS)


class TestPlan:
    def test_numbers_without_noise_need_one_run(self) -> None:
        rule = plan("loss", [2.0] * END_RUNS[0], [2.001] * END_RUNS[0], STEPS)
        assert isinstance(rule, MetricRule)
        assert (rule.runs, rule.side([2.0]), rule.side([2.001])) == (1, Side.GOOD, Side.BAD)

    def test_a_third_value_is_neither(self) -> None:
        rule = plan("loss", [2.0] * END_RUNS[0], [2.1] * END_RUNS[0], STEPS)
        assert isinstance(rule, MetricRule)
        assert rule.side([1.5]) is Side.SKIP
        assert rule.side([9.0]) is Side.SKIP

    def test_the_bad_end_may_be_the_lower_one(self) -> None:
        rule = plan("speed", [100.0] * END_RUNS[0], [80.0] * END_RUNS[0], STEPS)
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


NOISY = (0.0, 1.0, 2.0, 3.0, 4.0)
"""Five values with a standard deviation of 1.58."""


def moved(distance: float) -> list[float]:
    return [value + distance for value in NOISY]


class TestFigures:
    """The numbers that the promise rests on."""

    def test_constants(self) -> None:
        assert (END_RUNS, MOST_RUNS, ERROR, CONFIDENCE, PEAK_MEMORY) == ((5, 10, 20), 16, 0.01, 0.95, "peak_memory")

    def test_spread(self) -> None:
        """The square root of 20 through the 5 % quantile of chi square with 8 degrees of freedom, 2.7326."""
        rule = plan("x", NOISY, moved(12), STEPS)
        assert isinstance(rule, MetricRule)
        assert rule.spread == pytest.approx((20 / 2.7326) ** 0.5, rel=0.003)
        assert (rule.metric, rule.good, rule.bad, rule.middle, rule.error) == ("x", 2.0, 14.0, 8.0, ERROR)

    @pytest.mark.parametrize(
        ("distance", "steps", "runs"),
        [(12, 13, 9), (11, 13, 13), (11, 2, 7), (11, 1, 5), (11, 0, 5), (-12, 13, 9), (18.5, 1, 1), (9, 2, 14)],
    )
    def test_runs(self, distance: float, steps: int, runs: int) -> None:
        """More steps and nearer ends need more runs."""
        rule = plan("x", NOISY, moved(distance), steps)
        assert isinstance(rule, MetricRule)
        assert rule.runs == runs

    def test_sixteen_runs_are_the_most(self) -> None:
        assert isinstance(most := plan("x", NOISY, moved(10.5), 15), MetricRule)
        assert most.runs == MOST_RUNS
        found = plan("x", NOISY, moved(10.5), 16)
        assert isinstance(found, Inseparable)
        assert found.reason == (
            "x is too noisy: more than 16 runs of each release would be needed to be right in 99% of searches: "
            "good 0, 1, 2, 3, 4; bad 10.5, 11.5, 12.5, 13.5, 14.5"
        )

    @pytest.mark.parametrize(("good", "bad"), [((0, 0, 0, 0, 1), (1, 9, 9, 9, 9)), ((1, 9, 9, 9, 9), (0, 0, 0, 0, 1))])
    def test_ends_that_touch(self, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
        """All values of one end must lie beyond all of the other."""
        found = plan("x", good, bad, STEPS)
        assert isinstance(found, Inseparable)
        said = [", ".join(map(str, values)) for values in (good, bad)]
        assert found.reason == f"x does not separate the ends beyond its noise: good {said[0]}; bad {said[1]}"

    @pytest.mark.parametrize(
        ("mean", "side"),
        [(-1, Side.GOOD), (-1.01, Side.SKIP), (1, Side.GOOD), (1.01, Side.BAD), (3, Side.BAD), (3.01, Side.SKIP)],
    )
    def test_side(self, mean: float, side: Side) -> None:
        """Within half the distance of an end; the middle itself is no proof of the failure."""
        rule = MetricRule(metric="x", good=0, bad=2, spread=0, runs=2, error=ERROR)
        assert rule.side([mean - 1, mean + 1]) is side

    @pytest.mark.parametrize(("runs", "words"), [(1, "1 run a step"), (2, "2 runs a step")])
    def test_described(self, runs: int, words: str) -> None:
        rule = MetricRule(metric="loss", good=2.1, bad=2.4, spread=0.05, runs=runs, error=ERROR)
        assert rule.describe() == (
            f"loss: good 2.1, bad 2.4, spread of a run at most 0.05; {words}, a wrong step in at most 1% of all "
            "searches asked"
        )


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])
def test_a_simulated_search_is_seldom_wrong(distance: float) -> None:
    """Ends so many spreads apart: of all searches asked, at most the stated share has a wrong step.

    From 3 spreads on, as ``docs/how-to/your-own-script.md`` says, the same holds for the answered ones alone.
    """
    generator = random.Random(int(distance * 100))
    searches, begun, wrong = 12_000 if distance == 3 else 1500, 0, 0
    for _ in range(searches):
        rule = learned(generator, distance)
        if isinstance(rule, Inseparable):
            continue
        begun += 1
        sides = [(Side.GOOD, 0.0), (Side.BAD, distance)]
        wrong += any(
            rule.side(drawn(generator, mean, rule.runs)) is side.opposite
            for side, mean in (sides[n % 2] for n in range(STEPS))
        )
    assert wrong <= ERROR * searches
    if distance >= 3:
        assert wrong <= ERROR * begun
    if distance >= 4:
        assert begun > searches / 2, "ends that are clear enough are searched"


def test_equal_ends_are_seldom_taken_for_different() -> None:
    generator = random.Random(7)
    plans = [learned(generator, 0) for _ in range(3000)]
    assert sum(isinstance(found, MetricRule) for found in plans) <= 3000 * 0.01


class TestValue:
    def test_of_measurements(self) -> None:
        first = rank(0, measured={"loss": 3.0}, series={"loss": (5.0, 4.0, 3.0)})
        held = observation(first, rank(1, measured={"loss": 7.0}))
        assert value_of("loss", held) == 3.0
        assert value_of("loss@2", held) == 4.0
        assert value_of("loss@4", held) is None
        assert value_of("other", held) is None
        assert [value_of(f"loss@{place}", held) for place in (1, 3)] == [5.0, 3.0]
        assert value_of("loss@1", observation(rank(0, measured={"loss": 3.0}))) == 3.0
        assert value_of("loss@2", observation(rank(0, measured={"loss": 3.0}))) is None
        assert value_of("loss", observation(rank(0), rank(1, measured={"loss": 7}))) == 7.0

    def test_of_memory(self) -> None:
        assert value_of("peak_memory", observation(rank(0, peak_bytes=5), rank(1, peak_bytes=9))) == 9.0
        assert value_of("peak_memory", observation(rank(0, peak_bytes=0), rank(1, peak_bytes=0))) == 0.0
        assert value_of("peak_memory", observation(rank(0, peak_bytes=5), rank(1))) is None
        assert value_of("peak_memory", observation().model_copy(update={"ranks": ()})) is None

    def test_text_is_no_number(self) -> None:
        assert (
            value_of("loss", observation(rank(0, measured={"loss": "NaN"}), rank(1, measured={"loss": True}))) is None
        )


@pytest.mark.parametrize("text", ["loss@", "Loss", "loss@0", "a b", "loss@x", "loss@10000"])
def test_what_is_no_metric(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_metric(text)
    assert str(refused.value) == (
        f"--metric {text!r}: peak_memory, NAME of a line `measured NAME = NUMBER`, or NAME@N for the N-th such line "
        "is expected"
    )


@pytest.mark.parametrize("text", ["loss", "loss_2@12", "peak_memory", "a@9999"])
def test_what_is_a_metric(text: str) -> None:
    assert check_metric(text) == text
