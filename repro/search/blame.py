"""Which of many changes turn the answer round?  Delta debugging.  Pure: proposes sets, reads the answers.

The set of all changes flips the answer, the empty set does not.  Zeller's ddmin finds a set that flips it and
none of whose members can be left out.  A set that does not resolve, or fails in a third way, is unresolved: it
proves nothing.  Then all the other changes are tried together: if they keep the answer, every one of them is
innocent; if they flip it too, there is a second cause, and it is found in the same way.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Generic, TypeVar

from repro.store.answers import Role

Item = TypeVar("Item")


class Effect(StrEnum):
    """What a set of changes does."""

    FLIPS = "flips"
    KEEPS = "keeps"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Blame(Generic[Item]):
    """The reading of all sets that were tried."""

    causes: tuple[tuple[Item, ...], ...]
    """Each alone is enough."""
    parts: dict[Item, Role]


Steps = Generator[tuple[Item, ...], Effect, Blame[Item]]
"""Yields sets to try, takes their outcomes, returns the blame."""


class _Tried(Generic[Item]):
    """Remembers outcomes, so that no set is asked for twice."""

    def __init__(self, changes: Sequence[Item]) -> None:
        self._order = tuple(changes)
        self._known: dict[frozenset[Item], Effect] = {
            frozenset(): Effect.KEEPS,
            frozenset(changes): Effect.FLIPS,
        }

    def test(self, items: Sequence[Item]) -> Generator[tuple[Item, ...], Effect, Effect]:
        key = frozenset(items)
        if key not in self._known:
            self._known[key] = yield tuple(item for item in self._order if item in key)
        return self._known[key]

    def outcome(self, items: Sequence[Item]) -> Effect | None:
        return self._known.get(frozenset(items))

    @property
    def kept(self) -> list[frozenset[Item]]:
        return [key for key, outcome in self._known.items() if outcome is Effect.KEEPS]


def blame(changes: Sequence[Item]) -> Steps[Item]:
    """The dialogue: all changes together are known to flip the answer, none of them to keep it."""
    tried = _Tried(changes)
    causes: list[tuple[Item, ...]] = []
    rest = tuple(changes)
    while True:
        cause = yield from _minimise(rest, tried)
        causes.append(cause)
        rest = tuple(item for item in rest if item not in cause)
        if not rest or (yield from tried.test(rest)) is not Effect.FLIPS:
            break
    if rest and tried.outcome(rest) is Effect.UNRESOLVED:
        for item in rest:
            yield from tried.test((item,))
    return Blame(tuple(causes), _parts(changes, causes, tried))


def _minimise(changes: Sequence[Item], tried: _Tried[Item]) -> Generator[tuple[Item, ...], Effect, tuple[Item, ...]]:
    """ddmin: a set that flips the answer, from which no single member can be left out."""
    held = tuple(changes)
    pieces = 2
    while len(held) > 1:
        subsets = _split(held, pieces)
        reduced = False
        for subset in subsets:
            if (yield from tried.test(subset)) is Effect.FLIPS:
                held, pieces, reduced = subset, 2, True
                break
        if reduced:
            continue
        for subset in subsets:
            others = tuple(item for item in held if item not in subset)
            if (yield from tried.test(others)) is Effect.FLIPS:
                held, pieces, reduced = others, max(pieces - 1, 2), True
                break
        if reduced:
            continue
        if pieces >= len(held):
            break
        pieces = min(2 * pieces, len(held))
    return held


def _split(items: Sequence[Item], pieces: int) -> list[tuple[Item, ...]]:
    """So many parts of nearly equal size, in order."""
    bounds = [len(items) * n // pieces for n in range(pieces + 1)]
    return [tuple(items[low:high]) for low, high in pairwise(bounds) if low < high]


def _parts(changes: Sequence[Item], causes: Sequence[Sequence[Item]], tried: _Tried[Item]) -> dict[Item, Role]:
    guilty = {item for cause in causes for item in cause}
    parts = {}
    for cause in causes:
        for item in cause:
            without = tried.outcome([other for other in cause if other != item])
            parts[item] = Role.NEEDED if without is Effect.UNRESOLVED else Role.GUILTY
    for item in changes:
        if item not in guilty:
            cleared = any(item in kept for kept in tried.kept)
            parts[item] = Role.INNOCENT if cleared else Role.UNTESTED
    return {item: parts[item] for item in changes}


def drive(changes: Sequence[Item], ask: Callable[[tuple[Item, ...]], Effect]) -> Blame[Item]:
    """Lead the dialogue with a source of outcomes."""
    steps = blame(changes)
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(ask(wanted))
    except StopIteration as end:
        found: Blame[Item] = end.value
        return found


def minimal_set(items: Sequence[Item], ask: Callable[[tuple[Item, ...]], Effect]) -> tuple[Item, ...]:
    """A set of items that flips the answer as all of them do, and from which no single one can be left out."""
    order = range(len(items))
    steps = _minimise(tuple(order), _Tried(order))
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(ask(tuple(items[index] for index in wanted)))
    except StopIteration as end:
        return tuple(items[index] for index in end.value)


def outcome_of(side: str, *, start: str, end: str) -> Effect:
    """What a set of changes did, from the sides of the two ends and its own."""
    return {start: Effect.KEEPS, end: Effect.FLIPS}.get(side, Effect.UNRESOLVED)
