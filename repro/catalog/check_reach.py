"""Checks ``reach`` of a record, which says who reaches the failure."""

from collections.abc import Iterator

from repro.catalog.reach_groups import groups
from repro.model.base import Location
from repro.model.errors import nearest
from repro.model.failure import Failure
from repro.model.reach import Use

Problem = tuple[Location, str, str]
"""Key, problem and remedy."""


def problems_of(failure: Failure) -> Iterator[Problem]:
    """The problems of ``reach``."""
    reach = failure.reach
    if reach is None:
        remedy = "say who reaches the failure: symbols, arguments and settings of their code (docs/records.md)"
        yield ("id",), "'reach' is missing", remedy
        return
    for key, use in (("when", reach.when), ("may", reach.may), ("unless", reach.unless)):
        if use:
            yield from _groups(use, ("reach", key))
    for index, symbol in enumerate(reach.at_fault):
        library = symbol.partition(".")[0]
        if library not in failure.distributions:
            problem = f"{symbol!r} is of no library that 'affected' or 'needs' names"
            yield ("reach", "at_fault", index), problem, nearest(library, failure.distributions)


def _groups(use: Use, at: Location) -> Iterator[Problem]:
    if use.group and use.group not in groups():
        yield (*at, "group"), f"no group {use.group!r}", nearest(use.group, groups())
    for key in ("all_of", "any_of"):
        for index, part in enumerate(getattr(use, key)):
            yield from _groups(part, (*at, key, index))
