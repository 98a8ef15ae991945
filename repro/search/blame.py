"""Finds which of many changes flip the answer, by delta debugging.  Pure: proposes sets and reads the answers.

The set of all changes flips the answer, the empty set does not.  Zeller's ddmin finds a set that flips it and of which
no member can be left out.  A set that does not resolve, or fails in a third way, is unresolved and proves nothing.
Then all other changes are tried together: if they keep the answer, they are innocent; if they flip it too, there is a
second cause, which is found in the same way.

A change may bring others: a release that requires newer releases of other packages cannot be tried without them.
It is tried together with all that it brings, as one change named after the requiring release.  What it brings is also
tried without it, and may turn out guilty or innocent.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Generic, TypeVar

from repro.store.answers import Role

Item = TypeVar("Item")


class Effect(StrEnum):
    """The effect of a set of changes."""

    FLIPS = "flips"
    KEEPS = "keeps"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Blame(Generic[Item]):
    """The result of all tried sets."""

    causes: tuple[tuple[Item, ...], ...]
    """Each set is sufficient alone, together with what its members bring."""
    parts: dict[Item, Role]
    brought: dict[Item, tuple[Item, ...]]
    """The changes that each member of a cause brings."""
    rest: tuple[Item, ...]
    """The changes that were tried together in the end, without any cause."""


Steps = Generator[tuple[Item, ...], Effect, Blame[Item]]
"""Yields sets to try, receives their effects, and returns the blame."""


class _Tried(Generic[Item]):
    """Remembers effects, so that no set is tried twice; each set is tried with what its members bring."""

    def __init__(self, changes: Sequence[Item], brings: Mapping[Item, Sequence[Item]]) -> None:
        self._order = tuple(changes)
        self._brings = {item: frozenset((item, *brings.get(item, ()))) for item in changes}
        self._known: dict[frozenset[Item], Effect] = {
            frozenset(): Effect.KEEPS,
            frozenset(changes): Effect.FLIPS,
        }

    def test(self, items: Collection[Item]) -> Generator[tuple[Item, ...], Effect, Effect]:
        key = self.whole(items)
        if key not in self._known:
            self._known[key] = yield tuple(item for item in self._order if item in key)
        return self._known[key]

    def whole(self, items: Collection[Item]) -> frozenset[Item]:
        """The items and all that they bring."""
        return frozenset().union(*(self._brings[item] for item in items))

    def without(self, items: Collection[Item], left_out: Collection[Item]) -> tuple[Item, ...]:
        """The items that bring none of those left out."""
        return tuple(
            item for item in self._order if item in items and not any(out in self._brings[item] for out in left_out)
        )

    def outcome(self, items: Collection[Item]) -> Effect | None:
        return self._known.get(self.whole(items))

    def clears(self, item: Item, guilty: Collection[Item]) -> bool:
        """True if a set with the item, and without guilty items that bring it, kept the answer."""
        bring_it = {cause for cause in guilty if item in self._brings[cause]}
        kept = (key for key, outcome in self._known.items() if outcome is Effect.KEEPS)
        return any(item in key and not key & bring_it for key in kept)


def blame(changes: Sequence[Item], brings: Mapping[Item, Sequence[Item]]) -> Steps[Item]:
    """The dialogue.  All changes together are known to flip the answer, and the empty set to keep it.

    ``brings`` names, for each change, all others without which it cannot be tried.
    """
    tried = _Tried(changes, brings)
    causes: list[tuple[Item, ...]] = []
    rest = tuple(changes)
    while True:
        cause = yield from _minimise(rest, tried)
        cause = yield from _without_what_is_brought(cause, tried)
        causes.append(cause)
        # Changes that could not be tried without a cause would flip the answer because of it.
        rest = tried.without(rest, [item for item in tried.whole(cause) if not tried.clears(item, cause)])
        if not rest or (yield from tried.test(rest)) is not Effect.FLIPS:
            break
    if rest and tried.outcome(rest) is Effect.UNRESOLVED:
        for item in rest:
            yield from tried.test((item,))
    brought = {item: _ordered(changes, tried.whole((item,)) - {item}) for cause in causes for item in cause}
    return Blame(
        tuple(causes), _parts(changes, causes, tried), {item: held for item, held in brought.items() if held}, rest
    )


def _without_what_is_brought(
    cause: tuple[Item, ...], tried: _Tried[Item]
) -> Generator[tuple[Item, ...], Effect, tuple[Item, ...]]:
    """The cause, or a smaller one if what a member brings is sufficient without that member."""
    for item in cause:
        others = [other for other in cause if other != item]
        brought = tried.without(tried.whole((item,)), (item,))
        # All together first; each alone only if that proves nothing.
        for held in (brought, *((single,) for single in brought)) if brought else ():
            outcome = yield from tried.test((*others, *held))
            if outcome is Effect.FLIPS:
                smaller = yield from _minimise((*others, *held), tried)
                return (yield from _without_what_is_brought(smaller, tried))
            if outcome is Effect.KEEPS and held == brought:
                break
    brought = tried.without(tried.whole(cause), cause)
    if not all(tried.clears(item, cause) for item in brought):
        yield from tried.test(brought)
    return cause


def _ordered(changes: Sequence[Item], held: Collection[Item]) -> tuple[Item, ...]:
    return tuple(item for item in changes if item in held)


def _minimise(changes: Sequence[Item], tried: _Tried[Item]) -> Generator[tuple[Item, ...], Effect, tuple[Item, ...]]:
    """ddmin: a set that flips the answer and of which no single member can be left out."""
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
    """Split into this many parts of nearly equal size, in order; there are at least as many items."""
    bounds = [len(items) * n // pieces for n in range(pieces + 1)]
    return [tuple(items[low:high]) for low, high in pairwise(bounds)]


def _parts(changes: Sequence[Item], causes: Sequence[Sequence[Item]], tried: _Tried[Item]) -> dict[Item, Role]:
    guilty = {item for cause in causes for item in cause}
    brought = tried.whole(guilty) - guilty
    parts = {}
    for cause in causes:
        for item in cause:
            without = tried.outcome([other for other in cause if other != item])
            parts[item] = Role.NEEDED if without is Effect.UNRESOLVED else Role.GUILTY
    for item in changes:
        if item not in guilty:
            untried = Role.REQUIRED if item in brought else Role.UNTESTED
            parts[item] = Role.INNOCENT if tried.clears(item, guilty) else untried
    return {item: parts[item] for item in changes}


def drive(
    changes: Sequence[Item],
    ask: Callable[[tuple[Item, ...]], Effect],
    brings: Mapping[Item, Sequence[Item]],
) -> Blame[Item]:
    """Lead the dialogue with a source of effects."""
    steps = blame(changes, brings)
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(ask(wanted))
    except StopIteration as end:
        found: Blame[Item] = end.value
        return found


def minimal_set(items: Sequence[Item], ask: Callable[[tuple[Item, ...]], Effect]) -> tuple[Item, ...]:
    """A set of items that flips the answer and of which no single one can be left out."""
    order = range(len(items))
    steps = _minimise(tuple(order), _Tried(order, {}))
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(ask(tuple(items[index] for index in wanted)))
    except StopIteration as end:
        return tuple(items[index] for index in end.value)


def outcome_of(side: str, *, start: str, end: str) -> Effect:
    """The effect of a set of changes, from its side and the sides of the two ends."""
    return {start: Effect.KEEPS, end: Effect.FLIPS}.get(side, Effect.UNRESOLVED)
