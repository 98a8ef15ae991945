"""Checks what a record says of Python, and of distributions that must be absent."""

from collections.abc import Iterator

from repro.model.base import Location
from repro.model.failure import Failure
from repro.model.specifiers import ABSENT, PYTHON

Problem = tuple[Location, str, str]
"""Key, problem and remedy."""


def problems_of(failure: Failure) -> Iterator[Problem]:
    """The problems of the ranges of a record."""
    ranges: list[tuple[Location, dict[str, str]]] = [
        (("affected", index), releases) for index, releases in enumerate(failure.affected)
    ]
    ranges += [(("rejected", index, "releases"), item.releases) for index, item in enumerate(failure.rejected)]
    for at, releases in ranges:
        if all(name == PYTHON or text == ABSENT for name, text in releases.items()):
            yield at, "names no release of a distribution", "name the library whose releases have it, beside"
    for name in failure.needs.distributions:
        if name == PYTHON:
            at = ("needs", "distributions", name)
            yield at, "is no distribution", "write it under affected, beside the library"
        if name in failure.may_be_absent:
            problem = "is needed by the reproduction, and its absence decides who is affected"
            yield ("needs", "distributions", name), problem, "leave one of the two out"
    for index, cure in enumerate(failure.cures):
        for name, text in (cure.upgrade or {}).items():
            if text == ABSENT:
                yield ("cures", index, "upgrade", name), "is no release to upgrade to", "write it as a setting"
