"""Between two points, where does the answer change?  Pure: proposes the next point, reads the answers.

It knows neither what a point is (a release, a day) nor where answers come from.  Points are counted from the
oldest.  Both ends are verified before anything is concluded.  A point that cannot be told is passed over; if the
change lies among such points, the answer is the range with all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.model.verdict import Side


@dataclass(frozen=True)
class Probe:
    """Look at this point next."""

    index: int


@dataclass(frozen=True)
class Contradiction:
    """An end does not show what it must."""

    index: int
    expected: Side


@dataclass(frozen=True)
class Inconclusive:
    """An end cannot be told, nor can what stands near it."""

    index: int
    expected: Side


@dataclass(frozen=True)
class Boundary:
    """The last point as the older end is, the first as the newer end is, and the untold ones between."""

    before: int
    after: int
    untested: tuple[int, ...]


NextStep = Probe | Contradiction | Inconclusive | Boundary
Sides = Mapping[int, Side]


@dataclass(frozen=True)
class Range:
    """What is to be bisected: how many points, and what the older end shows."""

    count: int
    older: Side
    fixed: tuple[bool, bool] = (True, True)
    """Whether the older and the newer end were named by the user: one that was not may move inwards."""

    @property
    def most_runs(self) -> int:
        """How many points are asked for at most where each can be told."""
        return (self.count - 1).bit_length() + 2


def next_move(points: Range, answers: Sides) -> NextStep:
    """What to do with these answers at hand."""
    ends = []
    for newer in (False, True):
        found = _end(points, answers, newer=newer)
        if not isinstance(found, int):
            return found
        ends.append(found)
    low, high = ends
    while True:
        between = range(low + 1, high)
        open_ = [index for index in between if answers.get(index) is not Side.SKIP]
        if not open_:
            return Boundary(low, high, tuple(between))
        middle = _farthest(open_, [low, high, *(index for index in between if answers.get(index) is Side.SKIP)])
        answer = answers.get(middle)
        if answer is None:
            return Probe(middle)
        if answer is points.older:
            low = middle
        else:
            high = middle


def _farthest(candidates: Sequence[int], known: Sequence[int]) -> int:
    """The candidate farthest from all that is known: the middle, and away from what cannot be told."""
    return max(candidates, key=lambda index: (min(abs(index - other) for other in known), -index))


def _end(points: Range, answers: Sides, *, newer: bool) -> int | NextStep:
    """The verified end, or what to do about it."""
    expected = points.older.opposite if newer else points.older
    first = points.count - 1 if newer else 0
    for index in [first] if points.fixed[newer] else list(_inwards(points.count, newer=newer)):
        answer = answers.get(index)
        if answer is None:
            return Probe(index)
        if answer is expected:
            return index
        if answer is not Side.SKIP:
            return Contradiction(index, expected)
    return Inconclusive(first, expected)


def _inwards(count: int, *, newer: bool) -> Iterator[int]:
    """The end, then points inside in growing steps, as far as its half goes."""
    distance, step = 0, 1
    while 2 * distance < count - 1:
        yield count - 1 - distance if newer else distance
        distance += step
        step *= 2


def upcoming(points: Range, answers: Sides, limit: int = 2) -> tuple[int, ...]:
    """The points that may be asked for after the next one, the likeliest first: prepare them meanwhile."""
    found: dict[int, None] = {}
    states = [dict(answers)]
    first = next_move(points, answers)
    while states and len(found) < limit:
        following = []
        for state in states:
            move = next_move(points, state)
            if isinstance(move, Probe):
                following += [state | {move.index: side} for side in (points.older, points.older.opposite)]
                if move != first:
                    found.setdefault(move.index)
        states = following
    return tuple(found)[:limit]


Ask = Callable[[int, tuple[int, ...]], Side]
"""Gives the answer of a point; the second argument names the points that may follow."""


def bisect(points: Range, answers: Sides, ask: Ask) -> NextStep:
    """Ask until it is decided; ``answers`` are those that are known before."""
    known = dict(answers)
    while True:
        move = next_move(points, known)
        if not isinstance(move, Probe):
            return move
        known[move.index] = ask(move.index, upcoming(points, known))
