"""The loop of a bisection against worlds that are known."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.model.verdict import Side, Verdict, side_of
from repro.search.bisection import (
    Boundary,
    Contradiction,
    Inconclusive,
    NextStep,
    Probe,
    SearchRange,
    Walk,
    farthest,
    inwards,
    next_move,
    upcoming,
    walk,
)

B, G, S = Side.BAD, Side.GOOD, Side.SKIP


class World:
    """Knows every answer and counts who asks."""

    def __init__(self, sides: list[Side]) -> None:
        self.sides = sides
        self.asked: list[int] = []
        self.ahead: list[tuple[int, ...]] = []

    def __call__(self, index: int, ahead: tuple[int, ...]) -> Side:
        assert index not in self.asked, "no point is asked for twice"
        self.asked.append(index)
        self.ahead.append(ahead)
        return self.sides[index]


def run(sides: list[Side], older: Side, fixed: tuple[bool, bool] = (True, True)) -> tuple[NextStep, World]:
    world = World(sides)
    return search(SearchRange(len(sides), older, fixed), {}, world), world


def search(points: SearchRange, answers: dict[int, Side], world: World) -> NextStep:
    known = dict(answers)
    while isinstance(move := next_move(points, known), Probe):
        known[move.index] = world(move.index, upcoming(points, known))
    return move


class TestSides:
    @pytest.mark.parametrize(
        ("verdict", "side"),
        [
            (Verdict.REPRODUCED, B),
            (Verdict.ABSENT, G),
            (Verdict.REJECTED, G),
            (Verdict.DIFFERENT, S),
            (Verdict.UNRUNNABLE, S),
            (Verdict.FLAKY, S),
            (None, S),
        ],
    )
    def test_a_verdict_that_is_not_certain_is_no_side(self, verdict: Verdict | None, side: Side) -> None:
        assert side_of(verdict) is side

    def test_the_opposite_of_not_known_is_not_known(self) -> None:
        assert [side.opposite for side in (B, G, S)] == [G, B, S]


class TestBisection:
    @settings(deadline=None)
    @given(st.integers(2, 200), st.data(), st.sampled_from([B, G]))
    def test_finds_the_change_within_the_promised_number_of_runs(
        self, n: int, data: st.DataObject, older: Side
    ) -> None:
        first_new = data.draw(st.integers(1, n - 1))
        move, world = run([older] * first_new + [older.opposite] * (n - first_new), older)
        assert move == Boundary(first_new - 1, first_new, ())
        assert len(world.asked) <= math.ceil(math.log2(n)) + 2
        assert len(world.asked) <= SearchRange(n, older).most_points == math.ceil(math.log2(n)) + 2

    @settings(deadline=None)
    @given(st.lists(st.booleans(), min_size=2, max_size=60), st.data())
    def test_what_cannot_be_told_makes_the_answer_a_range_that_is_true(
        self, told: list[bool], data: st.DataObject
    ) -> None:
        n = len(told)
        first_new = data.draw(st.integers(1, n - 1))
        truth = [G] * first_new + [B] * (n - first_new)
        sides = [
            side if known or index in {0, n - 1} else S
            for index, (side, known) in enumerate(zip(truth, told, strict=True))
        ]
        move, _ = run(sides, G)
        assert isinstance(move, Boundary)
        assert sides[move.before] is G
        assert sides[move.after] is B
        assert move.untested == tuple(range(move.before + 1, move.after))
        assert all(sides[index] is S for index in move.untested)

    def test_both_ends_are_verified_before_anything_else(self) -> None:
        _, world = run([B, B, B, G, G], B)
        assert world.asked[:2] == [0, 4]

    def test_neighbours_need_two_runs(self) -> None:
        move, world = run([G, B], G)
        assert move == Boundary(0, 1, ())
        assert world.asked == [0, 1]

    @pytest.mark.parametrize(
        ("sides", "contradiction"),
        [([B, B, B], Contradiction(0, G)), ([G, G, G], Contradiction(2, B)), ([B, G, G], Contradiction(0, G))],
    )
    def test_an_end_that_shows_the_opposite_is_a_contradiction(
        self, sides: list[Side], contradiction: Contradiction
    ) -> None:
        move, _ = run(sides, G)
        assert move == contradiction

    @pytest.mark.parametrize(("sides", "end"), [([S, G, B], 0), ([G, G, S], 2)])
    def test_a_named_end_that_cannot_be_told_stops_the_search(self, sides: list[Side], end: int) -> None:
        move, world = run(sides, G)
        assert move == Inconclusive(end, G if end == 0 else B)
        assert set(world.asked) <= {0, 2}

    def test_an_end_that_nobody_named_moves_inwards_in_growing_steps(self) -> None:
        sides = [B] * 20 + [G] * 10 + [S] * 10
        move, world = run(sides, B, (True, False))
        assert move == Boundary(19, 20, ())
        assert world.asked[1:6] == [39, 38, 36, 32, 24]

    def test_both_ends_never_meet(self) -> None:
        move, world = run([S] * 9, B, (False, False))
        assert move == Inconclusive(0, B)
        assert max(world.asked) < 4

    def test_a_good_older_end_that_nobody_named_is_looked_for_backwards(self) -> None:
        """Releases far from the bad one do not work with its other packages: they are not even tried."""
        sides = [S] * 30 + [G] * 10 + [B] * 6
        move, world = run(sides, G, (False, True))
        assert move == Boundary(39, 40, ())
        assert world.asked == [45, 44, 43, 41, 37, 39, 40]
        assert len(world.asked) <= SearchRange(len(sides), G, (False, True)).most_points

    def test_backwards_past_releases_without_an_answer(self) -> None:
        """A point that was passed over on the way back is neither an end nor asked for again."""
        sides = [G] * 10 + [B] * 7 + [S] + [B, S, B]
        move, world = run(sides, G, (False, True))
        assert move == Boundary(9, 10, ())
        assert world.asked == [20, 19, 18, 16, 12, 4, 8, 10, 9]
        move, world = run([G, G, S, S, S, B], G, (False, True))
        assert move == Boundary(1, 5, (2, 3, 4))
        assert world.asked == [5, 4, 3, 1, 2]
        _, world = run([G, G, S, G, S, S, B], G, (False, True))
        assert world.asked == [6, 5, 4, 2, 0, 1, 3]

    def test_backwards_steps_double_from_one(self) -> None:
        _, world = run([G, G, B], G, (False, True))
        assert world.asked == [2, 1]

    @pytest.mark.parametrize(
        ("sides", "older", "fixed", "asked"),
        [
            ([G, B, B, B, G, G], B, (False, True), Contradiction(0, B)),
            ([G, G, G, B, B, G], G, (False, False), Contradiction(5, B)),
            ([B, B, B, G, G, B], B, (True, False), Contradiction(5, G)),
        ],
    )
    def test_only_a_good_end_that_is_looked_for_may_lie_elsewhere(
        self, sides: list[Side], older: Side, fixed: tuple[bool, bool], asked: Contradiction
    ) -> None:
        """Any other end that shows the opposite ends the search, also one that nobody named."""
        assert run(sides, older, fixed)[0] == asked

    @pytest.mark.parametrize(
        ("count", "older", "newer"), [(2, [0], [1]), (3, [0], [2]), (7, [0, 1], [6, 5]), (8, [0, 1, 3], [7, 6, 4])]
    )
    def test_an_end_moves_as_far_as_its_half(self, count: int, older: list[int], newer: list[int]) -> None:
        assert list(inwards(count, newer=False)) == older
        assert list(inwards(count, newer=True)) == newer

    def test_the_first_of_the_farthest(self) -> None:
        """The same answers must give the same next point."""
        assert farthest([1, 2], [0, 3]) == 1
        assert farthest([1, 2, 3], [0, 4]) == 2

    def test_ends_are_named_unless_said_otherwise(self) -> None:
        assert SearchRange(9, G) == SearchRange(9, G, (True, True))

    def test_how_many_points_are_promised(self) -> None:
        assert SearchRange(9, G).most_points == 6
        assert SearchRange(9, G, (False, True)).most_points == 9
        assert SearchRange(8, B, (False, True)).most_points == 5

    def test_backwards_without_a_good_release(self) -> None:
        move, world = run([B] * 5, G, (False, True))
        assert move == Contradiction(0, G)
        assert world.asked == [4, 3, 2, 0]
        assert run([S] * 4 + [B], G, (False, True))[0] == Inconclusive(3, G)
        assert run([G, B], G, (False, True))[0] == Boundary(0, 1, ())

    @settings(deadline=None)
    @given(st.integers(2, 200), st.data())
    def test_backwards_finds_the_change_within_the_promised_number_of_points(self, n: int, data: st.DataObject) -> None:
        first_bad = data.draw(st.integers(1, n - 1))
        move, world = run([G] * first_bad + [B] * (n - first_bad), G, (False, True))
        assert move == Boundary(first_bad - 1, first_bad, ())
        assert len(world.asked) <= SearchRange(n, G, (False, True)).most_points

    def test_the_walk_names_its_ends_and_what_it_used(self) -> None:
        found = walk(SearchRange(9, B), {0: B, 8: G, 4: G, 2: B, 3: G, 6: B})
        assert found == Walk(Boundary(2, 3, ()), frozenset({0, 2, 3, 4, 8}), (0, 8))
        assert walk(SearchRange(9, B), {0: B}).ends is None

    def test_goes_away_from_what_cannot_be_told(self) -> None:
        """Neighbours of a broken release are broken too: the next one asked for is far from it."""
        sides = [G] * 40 + [S] * 21 + [B] * 40
        _, world = run(sides, G)
        assert world.asked[2] == 50
        assert abs(world.asked[3] - 50) > 20

    def test_all_between_untold(self) -> None:
        move, world = run([G, S, S, S, B], G)
        assert move == Boundary(0, 4, (1, 2, 3))
        assert len(world.asked) == 5

    def test_goes_on_from_the_answers_at_hand(self) -> None:
        sides = [B] * 30 + [G] * 30
        _, whole = run(sides, B)
        known = {index: sides[index] for index in whole.asked[:3]}
        world = World(sides)
        move = search(SearchRange(60, B), known, world)
        assert move == Boundary(29, 30, ())
        assert world.asked == whole.asked[3:]

    @settings(deadline=None)
    @given(st.integers(2, 80), st.data())
    def test_the_same_answers_give_the_same_next_point(self, n: int, data: st.DataObject) -> None:
        first_new = data.draw(st.integers(1, n - 1))
        _, world = run([B] * first_new + [G] * (n - first_new), B)
        for count, asked in enumerate(world.asked):
            known = {index: B if index < first_new else G for index in world.asked[:count]}
            assert next_move(SearchRange(n, B), known) == Probe(asked)


class TestUpcoming:
    def test_names_both_next_midpoints(self) -> None:
        known = {0: B, 16: G}
        assert next_move(SearchRange(17, B), known) == Probe(8)
        assert set(upcoming(SearchRange(17, B), known)) == {4, 12}

    def test_looks_past_the_ends(self) -> None:
        assert upcoming(SearchRange(17, B), {}) == (16, 8)

    @settings(deadline=None)
    @given(st.integers(2, 60), st.data())
    def test_what_comes_next_was_prepared(self, n: int, data: st.DataObject) -> None:
        first_new = data.draw(st.integers(1, n - 1))
        _, world = run([G] * first_new + [B] * (n - first_new), G)
        for ahead, following in zip(world.ahead, world.asked[1:], strict=False):
            assert following in ahead
        assert all(len(ahead) <= 2 for ahead in world.ahead)
