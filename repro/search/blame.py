"""Which of many changes turn the answer round?  Delta debugging.  Pure: proposes sets, reads the answers.

The set of all changes flips the answer, the empty set does not.  Zeller's ddmin finds a set that flips it and
none of whose members can be left out.  A set that does not resolve, or fails in a third way, is unresolved: it
proves nothing.  Then all the other changes are tried together: if they keep the answer, every one of them is
innocent; if they flip it too, there is a second cause, and it is found in the same way.

A change may bring others with it: a release that requires newer releases of other packages cannot be tried without
them.  Such a change is tried with all that it brings, and they are one change, named by the release that requires the
others.  What it brings is tried without it as well: it may be the guilty one, or be innocent.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
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
    """Each alone is enough, with what its members bring."""
    parts: dict[Item, Role]
    brought: dict[Item, tuple[Item, ...]] = field(default_factory=dict)
    """By member of a cause: the changes that it brings."""
    rest: tuple[Item, ...] = ()
    """The changes that were tried together at last, without any cause."""


Steps = Generator[tuple[Item, ...], Effect, Blame[Item]]
"""Yields sets to try, takes their outcomes, returns the blame."""


class _Tried(Generic[Item]):
    """Remembers outcomes, so that no set is asked for twice; each set is tried with what its members bring."""

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
        """The items with all that they bring."""
        return frozenset().union(*(self._brings[item] for item in items))

    def without(self, items: Collection[Item], left_out: Collection[Item]) -> tuple[Item, ...]:
        """Those of the items that bring none of the others."""
        return tuple(
            item for item in self._order if item in items and not any(out in self._brings[item] for out in left_out)
        )

    def outcome(self, items: Collection[Item]) -> Effect | None:
        return self._known.get(self.whole(items))

    def clears(self, item: Item, guilty: Collection[Item]) -> bool:
        """True if the item belongs to a set that kept the answer; what a guilty one brings, to one without that one."""
        bring_it = {cause for cause in guilty if item in self._brings[cause]}
        kept = (key for key, outcome in self._known.items() if outcome is Effect.KEEPS)
        return any(item in key and not key & bring_it for key in kept)


def blame(changes: Sequence[Item], brings: Mapping[Item, Sequence[Item]] | None = None) -> Steps[Item]:
    """The dialogue: all changes together are known to flip the answer, none of them to keep it.

    ``brings`` names, by change, all others that it cannot be tried without.
    """
    tried = _Tried(changes, brings or {})
    causes: list[tuple[Item, ...]] = []
    rest = tuple(changes)
    while True:
        cause = yield from _minimise(rest, tried)
        cause = yield from _without_what_is_brought(cause, tried)
        causes.append(cause)
        # What could not be tried without a cause would flip the answer because of it.
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
    """The cause, or a smaller one if what a member brings is enough without that member."""
    for item in cause:
        others = [other for other in cause if other != item]
        brought = tried.without(tried.whole((item,)), (item,))
        # All together; each alone only if that proves nothing.
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
    brings: Mapping[Item, Sequence[Item]] | None = None,
) -> Blame[Item]:
    """Lead the dialogue with a source of outcomes."""
    steps = blame(changes, brings)
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
    steps = _minimise(tuple(order), _Tried(order, {}))
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(ask(tuple(items[index] for index in wanted)))
    except StopIteration as end:
        return tuple(items[index] for index in end.value)


def outcome_of(side: str, *, start: str, end: str) -> Effect:
    """What a set of changes did, from the sides of the two ends and its own."""
    return {start: Effect.KEEPS, end: Effect.FLIPS}.get(side, Effect.UNRESOLVED)
