"""How many runs an answer needs: single decisions, then whole searches of failures that show sometimes."""

import pytest

from repro.model.verdict import Side
from repro.search.bisection import Boundary, Contradiction, Inconclusive, Probe, SearchRange
from repro.search.confirm import (
    NOISY,
    Confirmed,
    Counts,
    Noisy,
    PointRuns,
    Repeat,
    RunsByPoint,
    ahead,
    most_runs,
    next_step,
    sides,
)
from tests.bench.search_noise import remember_walks, simulate

B, G, S = Side.BAD, Side.GOOD, Side.SKIP
BAD, GOOD = PointRuns(Counts(bad=1)), PointRuns(Counts(good=1))


def warm(bad: int = 0, good: int = 0, skipped: int = 0, *, torchrun: Counts | None = None) -> PointRuns:
    return PointRuns(Counts(bad, good, skipped), torchrun or Counts())


def torchrun(bad: int = 0, good: int = 0, skipped: int = 0) -> PointRuns:
    return PointRuns(Counts(), Counts(bad, good, skipped))


class TestSteady:
    """A range of four: bad, bad, good, good."""

    POINTS = SearchRange(4, B)
    FOUND: RunsByPoint = {0: BAD, 3: GOOD, 1: BAD, 2: GOOD}

    def test_both_neighbours_are_run_again(self) -> None:
        assert next_step(self.POINTS, self.FOUND) == Repeat(1, 3)
        known = {**self.FOUND, 1: warm(1, torchrun=Counts(bad=3))}
        assert next_step(self.POINTS, known) == Repeat(2, 3)
        known = {**known, 2: warm(0, 1, torchrun=Counts(good=3))}
        assert next_step(self.POINTS, known) == Confirmed(Boundary(1, 2, ()))

    def test_a_run_without_verdict_is_no_confirmation(self) -> None:
        known = {**self.FOUND, 1: warm(1, torchrun=Counts(bad=2, skipped=1))}
        assert next_step(self.POINTS, known) == Repeat(1, 4)

    def test_first_looks_through_torchrun_count(self) -> None:
        known = {**self.FOUND, 1: torchrun(1), 2: torchrun(good=1)}
        assert next_step(self.POINTS, known) == Repeat(1, 4)

    def test_many_warm_runs_do_not_replace_torchrun(self) -> None:
        assert next_step(self.POINTS, {**self.FOUND, 1: warm(9)}) == Repeat(1, 3)

    def test_a_point_that_cannot_be_run_again_has_no_answer(self) -> None:
        known = {**self.FOUND, 1: warm(1, torchrun=Counts(skipped=3))}
        assert sides(self.POINTS, known)[1] is S
        assert next_step(self.POINTS, known) == Repeat(0, 3)

    def test_the_end_is_run_again_before_it_is_called_a_contradiction(self) -> None:
        assert next_step(self.POINTS, {0: GOOD}) == Repeat(0, 3)
        assert next_step(self.POINTS, {0: warm(0, 1, torchrun=Counts(good=3))}) == Contradiction(0, B)
        assert next_step(self.POINTS, {0: BAD, 3: BAD}) == Repeat(3, 3)

    def test_an_end_without_verdict(self) -> None:
        assert next_step(self.POINTS, {0: warm(skipped=1)}) == Inconclusive(0, B)


class TestOtherChanges:
    POINTS = SearchRange(20, B)
    FOUND: RunsByPoint = {0: BAD, 19: GOOD, 9: BAD, 14: GOOD, 11: BAD, 12: GOOD}

    def test_one_more_point_on_each_side(self) -> None:
        assert next_step(self.POINTS, self.FOUND) == Probe(4)
        assert next_step(self.POINTS, {**self.FOUND, 4: BAD}) == Probe(16)
        assert set(ahead(self.POINTS, self.FOUND)) == {16}

    def test_a_bad_point_more_spares_the_bad_neighbour_a_run(self) -> None:
        known = {**self.FOUND, 4: BAD, 16: GOOD}
        assert next_step(self.POINTS, known) == Repeat(11, 2)
        known = {**known, 11: warm(1, torchrun=Counts(bad=2))}
        assert next_step(self.POINTS, known) == Repeat(12, 3)
        known = {**known, 12: warm(0, 1, torchrun=Counts(good=3))}
        assert next_step(self.POINTS, known) == Confirmed(Boundary(11, 12, ()))

    def test_an_opposite_there_is_run_again_and_is_another_change(self) -> None:
        known = {**self.FOUND, 4: BAD, 16: BAD}
        assert next_step(self.POINTS, known) == Repeat(16, 3)
        known = {
            **known,
            16: warm(1, torchrun=Counts(bad=3)),
            11: warm(1, torchrun=Counts(bad=3)),
            12: warm(0, 1, torchrun=Counts(good=3)),
        }
        assert next_step(self.POINTS, known) == Confirmed(Boundary(11, 12, ()), (16,))

    def test_a_point_there_without_verdict_is_left(self) -> None:
        known = {**self.FOUND, 4: warm(skipped=1), 16: GOOD}
        assert next_step(self.POINTS, known) == Repeat(11, 3)

    def test_the_point_beside_the_bad_neighbour_is_tried(self) -> None:
        """For a regression the bad side is the newer one."""
        assert next_step(SearchRange(5, G), {0: GOOD, 1: GOOD, 2: BAD, 4: BAD}) == Probe(3)

    def test_narrow_gaps_on_the_good_side_are_left(self) -> None:
        """17 and 18 lie beside known points."""
        known = {0: BAD, 19: GOOD, 9: BAD, 14: BAD, 16: GOOD, 15: BAD, 4: BAD}
        assert next_step(self.POINTS, known) == Repeat(15, 2)


class TestAhead:
    """What may be asked for after the next run is prepared meanwhile."""

    FOUND: RunsByPoint = {
        **TestOtherChanges.FOUND,
        4: BAD,
        11: warm(1, torchrun=Counts(bad=2)),
        12: warm(0, 1, torchrun=Counts(good=3)),
    }

    def test_nothing_comes_after_the_last_run(self) -> None:
        assert next_step(TestOtherChanges.POINTS, self.FOUND) == Probe(16)
        assert ahead(TestOtherChanges.POINTS, self.FOUND) == ()

    def test_two_points_unless_said_otherwise(self) -> None:
        assert ahead(SearchRange(17, B), {}) == (16, 8)
        assert len(ahead(SearchRange(17, B), {}, 3)) == 3

    def test_while_the_answer_is_confirmed(self) -> None:
        assert ahead(TestSteady.POINTS, TestSteady.FOUND) == ()


def test_how_many_runs_are_promised() -> None:
    """Those of the search, three more of each neighbour, and one of a point beyond."""
    assert most_runs(SearchRange(9, B)) == 6 + 3 + 3 + 1


class TestLaunchers:
    POINTS = SearchRange(4, B)

    @pytest.mark.parametrize(
        ("by_warm", "by_torchrun", "disagree"),
        [
            (Counts(bad=1), Counts(bad=2), False),
            (Counts(bad=2), Counts(bad=1), False),
            (Counts(good=1), Counts(good=2), False),
            (Counts(good=2), Counts(good=1), False),
            (Counts(bad=1, good=1), Counts(bad=2, good=2), False),
            (Counts(bad=1), Counts(good=1), True),
            (Counts(bad=1, good=1), Counts(bad=1), True),
            (Counts(good=1), Counts(bad=1, good=1), True),
            (Counts(bad=1), Counts(skipped=1), False),
            (Counts(), Counts(good=1), False),
        ],
    )
    def test_disagreement(self, by_warm: Counts, by_torchrun: Counts, disagree: bool) -> None:
        """What shows counts, not how often; what did not end says nothing."""
        assert PointRuns(by_warm, by_torchrun).launchers_disagree is disagree

    def test_skips_of_both_count(self) -> None:
        assert sides(SearchRange(1, B), {0: warm(skipped=1, torchrun=Counts(skipped=1))}) == {0: S}

    def test_a_point_without_any_run_has_none_to_make_up_for(self) -> None:
        known = {0: PointRuns(), 2: warm(0, 1, torchrun=Counts(bad=3))}
        assert next_step(self.POINTS, known) == Repeat(0, 1)

    def test_an_answer_is_neither_noisy_nor_of_torchrun_alone_unless_said_so(self) -> None:
        assert Confirmed(Boundary(1, 2, ())) == Confirmed(Boundary(1, 2, ()), (), noisy=False, torchrun_only=False)

    def test_a_disagreement_drops_all_warm_runs(self) -> None:
        known = {0: BAD, 3: GOOD, 1: BAD, 2: warm(0, 1, torchrun=Counts(bad=3))}
        assert sides(self.POINTS, known) == {2: B}
        assert next_step(self.POINTS, known) == Repeat(0, 1)

    def test_what_never_ran_stays_skipped(self) -> None:
        known = {0: BAD, 3: GOOD, 1: warm(skipped=1), 2: warm(0, 1, torchrun=Counts(bad=3))}
        assert sides(self.POINTS, known) == {1: S, 2: B}

    def test_the_answer_rests_on_torchrun(self) -> None:
        known = {
            0: warm(1, torchrun=Counts(bad=1)),
            3: warm(0, 1, torchrun=Counts(good=4)),
            1: warm(1, torchrun=Counts(bad=1)),
            2: warm(0, 1, torchrun=Counts(bad=4)),
        }
        assert next_step(self.POINTS, known) == Confirmed(Boundary(2, 3, ()), torchrun_only=True)

    def test_a_run_through_torchrun_without_verdict_is_repeated(self) -> None:
        """A point is given up after three of them."""
        known = {0: PointRuns(Counts(bad=1, good=1), Counts(bad=3)), 3: torchrun(good=3)}
        assert next_step(self.POINTS, {**known, 1: torchrun(skipped=1)}) == Repeat(1, 2)
        assert next_step(self.POINTS, {**known, 1: torchrun(skipped=2)}) == Repeat(1, 3)
        assert next_step(self.POINTS, {**known, 1: torchrun(skipped=3)}) == Repeat(2, 1)

    def test_warm_runs_that_disagree_with_each_other_are_dropped(self) -> None:
        assert next_step(self.POINTS, {0: warm(1, 1)}) == Repeat(0, 1)


class TestNoisy:
    POINTS = SearchRange(4, B)

    def test_a_good_answer_needs_many_runs(self) -> None:
        known = {0: torchrun(12, 4), 3: torchrun(good=4)}
        assert sides(self.POINTS, known) == {0: B}
        assert next_step(self.POINTS, known) == Repeat(3, 8)
        assert next_step(self.POINTS, {**known, 3: torchrun(good=8)}) == Repeat(3, NOISY.runs)
        assert next_step(self.POINTS, {**known, 3: torchrun(good=16)}) == Repeat(1, 4)

    def test_the_rate_is_measured_at_the_bad_end(self) -> None:
        known = {0: torchrun(1, 1), 3: torchrun(good=16)}
        assert next_step(self.POINTS, known) == Repeat(0, 16)
        assert next_step(self.POINTS, {**known, 0: torchrun(4, 12)}) == Noisy(0, 4, 16)
        assert next_step(self.POINTS, {**known, 0: torchrun(NOISY.least, 11)}) == Repeat(1, 4)
        assert (NOISY.least, NOISY.runs) == (5, 16)

    def test_the_rate_is_measured_at_the_bad_neighbour_too(self) -> None:
        known = {0: torchrun(12, 4), 3: torchrun(good=16), 1: torchrun(1), 2: torchrun(good=16)}
        assert next_step(self.POINTS, known) == Repeat(1, 16)
        assert next_step(self.POINTS, {**known, 1: torchrun(1, 15)}) == Noisy(1, 1, 16)
        found = Confirmed(Boundary(1, 2, ()), noisy=True, torchrun_only=True)
        assert next_step(self.POINTS, {**known, 1: torchrun(9, 7)}) == found

    def test_runs_without_verdict_are_made_up_for(self) -> None:
        """Until there are too many of them: then what is there decides."""
        ends = {0: torchrun(12, 4), 3: torchrun(good=16)}
        assert next_step(self.POINTS, {**ends, 1: torchrun(good=2, skipped=2)}) == Repeat(1, 6)
        known = {**ends, 2: torchrun(good=16)}
        assert next_step(self.POINTS, {**known, 1: torchrun(1, skipped=2)}) == Repeat(1, NOISY.runs + 2)
        assert next_step(self.POINTS, {**known, 1: torchrun(1, skipped=3)}) == Noisy(1, 1, 1)

    def test_a_bad_run_is_enough_to_be_bad(self) -> None:
        known = {0: torchrun(12, 4), 3: torchrun(1, 15)}
        assert next_step(self.POINTS, known) == Contradiction(3, G)

    def test_a_regression_measures_at_its_newer_end(self) -> None:
        known = {0: torchrun(good=16), 3: torchrun(1, 1)}
        assert next_step(SearchRange(4, G), known) == Repeat(3, 16)


class TestSimulation:
    """The search itself against releases that fail with some probability; the full form is a script in tests/bench."""

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("repro.search.confirm.walk", remember_walks())

    @pytest.mark.parametrize("rate", [1 / 3, 2 / 3, 9 / 10])
    def test_wrong_answers_are_rare(self, rate: float) -> None:
        """20,000 trials show less than 1 %; one run a step gives 20 to 40 %."""
        found = simulate(30, rate, 200)
        assert found.wrong <= 0.03
        assert found.single_outcomes["wrong"] > 0.15
        assert sum(found.outcomes.values()) == pytest.approx(1)

    def test_a_steady_failure_costs_twice_the_runs_at_most(self) -> None:
        found = simulate(30, 1.0, 300)
        assert found.outcomes == {"right": 1.0}
        assert found.cost <= 2.02

    @pytest.mark.parametrize("older", [B, G])
    def test_a_steady_failure_keeps_the_promise(self, older: Side) -> None:
        for first in range(1, 25):
            points = SearchRange(25, older, (older is B, True))
            known: dict[int, PointRuns] = {}
            runs = 0
            while isinstance(step := next_step(points, known), Probe | Repeat):
                bad = (step.index < first) == (older is B)
                count = step.runs if isinstance(step, Repeat) else 1
                counts = Counts(bad=count) if bad else Counts(good=count)
                held = known.get(step.index, PointRuns())
                runs += count - held.torchrun.conclusive if isinstance(step, Repeat) else 1
                known[step.index] = PointRuns(held.warm, counts) if isinstance(step, Repeat) else PointRuns(counts)
            assert step == Confirmed(Boundary(first - 1, first, ()))
            assert runs <= most_runs(points)
