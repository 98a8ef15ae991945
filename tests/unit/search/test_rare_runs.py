"""How many runs a point of a rare failure needs."""

import random

import pytest

from repro.model.rate import Rate
from repro.model.verdict import Side
from repro.search.bisection import Boundary, Probe, SearchRange
from repro.search.confirm import Confirmed, Counts, Noisy, PointRuns, Repeat, next_step
from repro.search.rare_runs import ERROR, REFUSED, RunsOfPoint, runs_of_point

RATE = Rate(runs=20, at_least=8)
POINTS = SearchRange(9, Side.BAD)


def searched(first_good: int, share: float, seed: int) -> Boundary | None:
    """The boundary that a search finds among points that are bad below ``first_good``, in this share of runs."""
    coin, known = random.Random(seed), dict[int, PointRuns]()
    for _ in range(200):
        step = next_step(POINTS, known, RATE)
        if not isinstance(step, Probe | Repeat):
            return step.boundary if isinstance(step, Confirmed) else None
        assert isinstance(step, Repeat), "a rare failure needs several runs of each point"
        held = known.get(step.index, PointRuns()).torchrun
        bad, good = held.bad, held.good
        for _ in range(step.runs - held.conclusive):
            shows = step.index < first_good and coin.random() < share
            bad, good = bad + shows, good + (not shows)
        known[step.index] = PointRuns(torchrun=Counts(bad=bad, good=good))
    raise AssertionError("the search does not end")


class TestRunsOfPoint:
    """The runs follow from the rate and from the number of points."""

    def test_enough(self) -> None:
        """All points together miss a failure of this rate in at most the stated share; one run fewer would not do."""
        needs = runs_of_point(RATE, 6)
        assert 6 * 0.6**needs.runs <= ERROR < 6 * 0.6 ** (needs.runs - 1)

    def test_least(self) -> None:
        """A bad end of this rate is refused in at most the stated share of searches."""
        needs, coin = runs_of_point(RATE, 6), random.Random(1)
        shown = [sum(coin.random() < 0.4 for _ in range(needs.runs)) for _ in range(4_000)]
        assert sum(k < needs.least for k in shown) <= REFUSED * 1.15 * len(shown) < sum(k <= needs.least for k in shown)

    def test_seldom(self) -> None:
        """The failure must show once at least."""
        assert runs_of_point(Rate(runs=20, at_least=1), 4).least >= 1

    @pytest.mark.parametrize("known", range(16))
    def test_next(self, known: int) -> None:
        """The next number is larger than what is known, and at most all."""
        assert known < RunsOfPoint(16, 5).next_runs(known) <= 16


class TestSearch:
    """A search for a rare failure finds the right release, or none."""

    def test_right(self) -> None:
        """At the stated rate the boundary is right in all but one of a hundred searches."""
        found = [searched(first_good, 0.4, seed) for seed in range(25) for first_good in (1, 5, 8)]
        right = [Boundary(good - 1, good, ()) for _ in range(25) for good in (1, 5, 8)]
        wrong = sum(one is not None and one != other for one, other in zip(found, right, strict=True))
        assert wrong <= 0.02 * len(found)
        assert sum(one is None for one in found) <= (REFUSED + 0.05) * len(found)

    def test_one_run_is_not_enough(self) -> None:
        """A single clean run of the good end says nothing."""
        step = next_step(POINTS, {8: PointRuns(torchrun=Counts(good=1))}, RATE)
        assert isinstance(step, Repeat)

    def test_rarer_than_stated(self) -> None:
        """A bad end that shows it much less often refutes the rate: there is no answer."""
        needs = runs_of_point(RATE, POINTS.most_points)
        runs = {
            0: PointRuns(torchrun=Counts(bad=1, good=needs.runs - 1)),
            8: PointRuns(torchrun=Counts(good=needs.runs)),
        }
        assert next_step(POINTS, runs, RATE) == Noisy(0, 1, needs.runs)
