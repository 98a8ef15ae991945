"""Finds where the answer changes between two points.  Pure: proposes the next point and reads the answers.

A point may be a release or a day; points are numbered from the oldest.  Both ends are verified before anything is
concluded.  Points without an answer are skipped; if the change lies among them, the answer is the whole range.

If the user names no good older end, it is searched backwards from the bad end in growing steps: the oldest releases
seldom work with today's other packages, and the change is usually near.

``confirm`` decides how often a point must be run before its answer counts.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.model.verdict import Side


@dataclass(frozen=True)
class Probe:
    """Try this point next."""

    index: int


@dataclass(frozen=True)
class Contradiction:
    """An end shows the opposite of what was expected."""

    index: int
    expected: Side


@dataclass(frozen=True)
class Inconclusive:
    """Neither an end nor the points near it have an answer."""

    index: int
    expected: Side


@dataclass(frozen=True)
class Boundary:
    """The last point like the older end, the first point like the newer end, and the skipped points between them."""

    before: int
    after: int
    untested: tuple[int, ...]


NextStep = Probe | Contradiction | Inconclusive | Boundary
Sides = Mapping[int, Side]


@dataclass(frozen=True)
class SearchRange:
    """The range to bisect: the number of points, and the side of the older end."""

    count: int
    older: Side
    fixed: tuple[bool, bool] = (True, True)
    """True for each end (older, newer) that the user named; other ends may move."""

    @property
    def backwards(self) -> bool:
        """True if the good older end must be found first, backwards from the bad end."""
        return self.older is Side.GOOD and not self.fixed[0]

    @property
    def most_points(self) -> int:
        """The largest number of points that are tried if each has an answer."""
        halvings = (self.count - 1).bit_length()
        return 2 * halvings + 1 if self.backwards else halvings + 2


@dataclass(frozen=True)
class Walk:
    """The state of a search with the known answers."""

    move: NextStep
    visited: frozenset[int]
    """The points whose answers the search used."""
    ends: tuple[int, int] | None = None
    """The older and the newer end, once both are verified."""


def walk(points: SearchRange, answers: Sides) -> Walk:
    """Search as far as the known answers allow."""
    used: set[int] = set()
    found: dict[bool, int] = {}
    # A backward search begins at the newer end.
    for newer in (True, False) if points.backwards else (False, True):
        order = _backwards(found[True]) if points.backwards and not newer else _order(points, newer=newer)
        end = _end(points, answers, order, used, newer=newer)
        if not isinstance(end, int):
            return Walk(end, frozenset(used))
        found[newer] = end
    low, high = found[False], found[True]
    ends = low, high
    # Only points of this search count: a point that was run for another reason must not change its path.
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
    """The next step with these answers."""
    return walk(points, answers).move


def farthest(candidates: Sequence[int], known: Sequence[int]) -> int:
    """The candidate farthest from all known points: the middle of the widest gap."""
    ordered = sorted(known)
    best, widest = candidates[0], -1
    for index in candidates:
        at = bisect_left(ordered, index)
        distance = min(abs(index - other) for other in ordered[max(at - 1, 0) : at + 1])
        if distance > widest:
            best, widest = index, distance
    return best


def _end(points: SearchRange, answers: Sides, order: Sequence[int], used: set[int], *, newer: bool) -> int | NextStep:
    """The verified end, or the next step to verify it."""
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
    """The candidates for an end: the point that the user named, else the last point and points inside."""
    first = points.count - 1 if newer else 0
    return [first] if points.fixed[newer] else list(inwards(points.count, newer=newer)) or [first]


def inwards(count: int, *, newer: bool) -> Iterator[int]:
    """The end, then points inside in growing steps, within its half of the range."""
    distance, step = 0, 1
    while 2 * distance < count - 1:
        yield count - 1 - distance if newer else distance
        distance += step
        step *= 2


def _backwards(start: int) -> list[int]:
    """The points before ``start`` in growing steps; the oldest point is the last one."""
    found = []
    step = 1
    while start - step > 0:
        found.append(start - step)
        step *= 2
    return [*found, 0]


def upcoming(points: SearchRange, answers: Sides, limit: int = 2) -> tuple[int, ...]:
    """The points that may follow the next one, the likeliest first, to be prepared meanwhile."""
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
