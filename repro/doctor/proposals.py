"""Proposes versions without some failures: fewest changed packages first, then the nearest releases.  Pure."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.doctor.exposure import Exposure, exposure
from repro.doctor.stack.stack import ALIASES, Stack
from repro.model.affected import specifiers_of
from repro.model.failure import Failure
from repro.model.specifiers import covers


@dataclass(frozen=True)
class Axis:
    """A distribution that may move, with its releases, the oldest first."""

    distribution: str
    held: str | None
    """The current version; None if only a range is known."""
    releases: tuple[str, ...]
    within: str = ""
    """That range."""

    @property
    def record_name(self) -> str:
        """Its name in records."""
        return next((name for name, alias in ALIASES.items() if alias == self.distribution), self.distribution)

    @property
    def nearest(self) -> tuple[tuple[int, str], ...]:
        """The releases to move to with their distance in releases; at equal distance the younger one first.

        For a range, distances count from its newest release, and that release is itself a move: a pin.
        """
        start = self._start
        below = [version for version in self.releases if Version(version) < start]
        above = [version for version in self.releases if Version(version) > start]
        steps = [(index + 1, 0, version) for index, version in enumerate(above)]
        steps += [(index + 1, 1, version) for index, version in enumerate(reversed(below))]
        steps += [(0, 0, version) for version in self.releases if not self.held and Version(version) == start]
        return tuple((distance, version) for distance, _, version in sorted(steps))

    @property
    def _start(self) -> Version:
        if self.held:
            return Version(Version(self.held).public)
        inside = [version for version in self.releases if SpecifierSet(self.within).contains(version, prereleases=True)]
        return Version((inside or self.releases or ("0",))[-1])


@dataclass(frozen=True)
class Proposal:
    """Versions that have none of the failures, by the records."""

    versions: Mapping[str, str]
    distance: int


Shape = tuple[bool, ...]
Group = tuple[tuple[int, str], ...]
"""Releases that no record distinguishes, with their distances, the nearest first."""


def _groups(axis: Axis, failures: Sequence[Failure]) -> list[Group]:
    name = axis.record_name
    texts = {text for failure in failures for text in specifiers_of(failure).get(name, ())}
    texts |= {needed for failure in failures if (needed := failure.needs.distributions.get(name))}
    found: dict[Shape, list[tuple[int, str]]] = {}
    for distance, version in axis.nearest:
        shape = tuple(covers({"it": text}, {"it": version}) for text in sorted(texts))
        found.setdefault(shape, []).append((distance, version))
    return [tuple(group) for group in found.values()]


def is_free(failure: Failure, stack: Stack) -> bool:
    """True if a failure is known to be gone, and its reproduction can run there to prove it."""
    versions = stack.versions
    needs = {name: text for name, text in failure.needs.distributions.items() if name in versions}
    return exposure(failure, stack) is Exposure.CLEAR and covers(needs, versions)


def open_failures(wanted: Sequence[Failure], stack: Stack, axes: Sequence[Axis]) -> list[Failure]:
    """The failures that every combination of releases has."""
    return [
        failure
        for failure in wanted
        if exposure(failure, stack) is not Exposure.CLEAR
        and not any(is_free(failure, stack.moved(versions)) for versions in _combinations(axes, [failure]))
    ]


def _combinations(axes: Sequence[Axis], failures: Sequence[Failure]) -> Iterator[dict[str, str]]:
    """One representative of each combination that the records distinguish."""
    concerned = [axis for axis in axes if any(axis.record_name in failure.concerns for failure in failures)]
    choices: list[list[str | None]] = [
        [None, *(group[0][1] for group in _groups(axis, failures))] for axis in concerned
    ]
    for chosen in product(*choices):
        pairs = zip(concerned, chosen, strict=True)
        yield {axis.distribution: version for axis, version in pairs if version is not None}


def proposals(
    wanted: Sequence[Failure], guarded: Sequence[Failure], stack: Stack, axes: Sequence[Axis]
) -> Iterator[Proposal]:
    """Sets of versions that cure all wanted failures and bring none of the guarded ones.

    The fewest packages come first, then the smallest distance.  A wanted failure must be known to be gone; a guarded
    one must only not be known to be there.
    """
    everyone = [*wanted, *guarded]
    groups = {axis.distribution: _groups(axis, everyone) for axis in axes}
    for size in range(1, len(axes) + 1):
        fitting: list[tuple[tuple[str, Group], ...]] = []
        for names in combinations(groups, size):
            for chosen in product(*(groups[name] for name in names)):
                picked = tuple(zip(names, chosen, strict=True))
                moved = stack.moved({name: group[0][1] for name, group in picked})
                if all(is_free(failure, moved) for failure in wanted) and not any(
                    exposure(failure, moved) is Exposure.AFFECTED for failure in guarded
                ):
                    fitting.append(picked)
        yield from _nearest_first(fitting)


def _nearest_first(fitting: Sequence[tuple[tuple[str, Group], ...]]) -> Iterator[Proposal]:
    """The members of the products of groups, ordered by the sum of their distances."""
    heap: list[tuple[int, int, tuple[int, ...]]] = []

    def push(number: int, indices: tuple[int, ...]) -> None:
        picked = fitting[number]
        if all(index < len(group) for index, (_, group) in zip(indices, picked, strict=True)):
            distance = sum(group[index][0] for index, (_, group) in zip(indices, picked, strict=True))
            heapq.heappush(heap, (distance, number, indices))

    for number, picked in enumerate(fitting):
        push(number, (0,) * len(picked))
    seen: set[tuple[int, tuple[int, ...]]] = set()
    while heap:
        distance, number, indices = heapq.heappop(heap)
        if (number, indices) in seen:
            continue
        seen.add((number, indices))
        pairs = zip(indices, fitting[number], strict=True)
        yield Proposal({name: group[index][1] for index, (name, group) in pairs}, distance)
        for place in range(len(indices)):
            push(number, (*indices[:place], indices[place] + 1, *indices[place + 1 :]))
