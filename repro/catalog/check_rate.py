"""Checks what a record says of a failure that shows in some runs only."""

from collections.abc import Iterator

from repro.model.base import Location
from repro.model.failure import Failure

MOST_RUNS = 60
"""Clean runs that a rate may ask for: each default cell and claim that is right costs so many."""


def problems_of(failure: Failure) -> Iterator[tuple[Location, str, str]]:
    """The problems of a rate, and of signatures that depend on timing: key, problem and remedy."""
    rate = failure.rate
    if rate is None:
        for index, other in enumerate(failure.signatures):
            if other.by_timing:
                problem = "depends on timing, but the record states no rate"
                yield ("signatures", index, "by_timing"), problem, "add rate: {runs: 20, at_least: 1}"
        return
    if rate.clean_runs > MOST_RUNS:
        problem = (
            f"asks for {rate.clean_runs} clean runs ({rate.confidence:g} confidence); at most {MOST_RUNS} are made"
        )
        yield ("rate",), problem, "make it more frequent in the script, or lower the confidence"
