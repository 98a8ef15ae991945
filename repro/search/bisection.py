"""Between two points, where does the answer change?  Pure: proposes the next point, reads the answers.

It knows neither what a point is (a release, a day) nor where answers come from.  Points are counted from the
oldest.  Both ends are verified before anything is concluded.  A point without an answer is passed over; if the
change lies among such points, the answer is the range with all of them.

A good older end that nobody named is looked for from the bad end backwards, in growing steps: the oldest releases
seldom work with the other packages of today, and the change is usually near.

How often a point must be run before its answer counts is decided in ``confirm``.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.model.verdict import Side


@dataclass(frozen=True)
class Probe:
    """Look at this point next."""

    index: int


@dataclass(frozen=True)
class Contradiction:
    """An end shows the opposite of what was expected."""

    index: int
    expected: Side


@dataclass(frozen=True)
class Inconclusive:
    """Neither an end has an answer, nor have the points near it."""

    index: int
    expected: Side


@dataclass(frozen=True)
class Boundary:
    """The last point as the older end is, the first as the newer end is, and the points without answer between."""

    before: int
    after: int
    untested: tuple[int, ...]


NextStep = Probe | Contradiction | Inconclusive | Boundary
Sides = Mapping[int, Side]


@dataclass(frozen=True)
class SearchRange:
    """What is to be bisected: how many points, and what the older end shows."""

    count: int
    older: Side
    fixed: tuple[bool, bool] = (True, True)
    """True for an end (older, newer) that the user named: the other one may move."""

    @property
    def backwards(self) -> bool:
        """True if the good older end must be found first, from the bad end backwards."""
        return self.older is Side.GOOD and not self.fixed[0]

    @property
    def most_points(self) -> int:
        """How many points are asked for at most where each has an answer."""
        halvings = (self.count - 1).bit_length()
        return 2 * halvings + 1 if self.backwards else halvings + 2


@dataclass(frozen=True)
class Walk:
    """A search as far as the answers go."""

    move: NextStep
    visited: frozenset[int]
    """The points whose answers the search used."""
    ends: tuple[int, int] | None = None
    """The older and the newer end, once both are verified."""


def walk(points: SearchRange, answers: Sides) -> Walk:
    """Search with the answers at hand, as far as they go."""
    used: set[int] = set()
    found: dict[bool, int] = {}
    # A search backwards begins at the newer end.
    for newer in (True, False) if points.backwards else (False, True):
        order = _backwards(found[True]) if points.backwards and not newer else _order(points, newer=newer)
        end = _end(points, answers, order, used, newer=newer)
        if not isinstance(end, int):
            return Walk(end, frozenset(used))
        found[newer] = end
    low, high = found[False], found[True]
    ends = low, high
    # Only those that the search met: a point that was run for another reason must not lead it another way.
    skipped = {index for index in used if answers[index] is Side.SKIP}
    if points.backwards:
        high = min(index for index in used if index > low and answers[index] is Side.BAD)
    while True:
        between = range(low + 1, high)
        open_ = [index for index in between if index not in skipped]
        if not open_:
            return Walk(Boundary(low, high, tuple(between)), frozenset(used), ends)
        middle = farthest(open_, [low, high, *(index for index in between if index in skipped)])
        answer = answers.get(middle)
        if answer is None:
            return Walk(Probe(middle), frozenset(used), ends)
        used.add(middle)
        if answer is Side.SKIP:
            skipped.add(middle)
        elif answer is points.older:
            low = middle
        else:
            high = middle


def next_move(points: SearchRange, answers: Sides) -> NextStep:
    """What to do with these answers at hand."""
    return walk(points, answers).move


def farthest(candidates: Sequence[int], known: Sequence[int]) -> int:
    """The candidate farthest from all that is known: the middle of the widest gap."""
    ordered = sorted(known)
    best, widest = candidates[0], -1
    for index in candidates:
        at = bisect_left(ordered, index)
        distance = min(abs(index - other) for other in ordered[max(at - 1, 0) : at + 1])
        if distance > widest:
            best, widest = index, distance
    return best


def _end(points: SearchRange, answers: Sides, order: Sequence[int], used: set[int], *, newer: bool) -> int | NextStep:
    """The verified end, or what to do about it."""
    expected = points.older.opposite if newer else points.older
    for index in order:
        answer = answers.get(index)
        if answer is None:
            return Probe(index)
        used.add(index)
        if answer is expected:
            return index
        if answer is Side.SKIP:
            continue
        if not (points.backwards and not newer) or index == order[-1]:
            return Contradiction(index, expected)
    return Inconclusive(order[0], expected)


def _order(points: SearchRange, *, newer: bool) -> list[int]:
    """The candidates for an end: the point that the user named, or the last one and points inside."""
    first = points.count - 1 if newer else 0
    return [first] if points.fixed[newer] else list(inwards(points.count, newer=newer)) or [first]


def inwards(count: int, *, newer: bool) -> Iterator[int]:
    """The end, then points inside in growing steps, as far as its half goes."""
    distance, step = 0, 1
    while 2 * distance < count - 1:
        yield count - 1 - distance if newer else distance
        distance += step
        step *= 2


def _backwards(start: int) -> list[int]:
    """The points before ``start`` in growing steps, the oldest one last."""
    found = []
    step = 1
    while start - step > 0:
        found.append(start - step)
        step *= 2
    return [*found, 0]


def upcoming(points: SearchRange, answers: Sides, limit: int = 2) -> tuple[int, ...]:
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
