"""Judges a growth by what the ranks measured: the script's own assertion is not enough.  Pure.

A ratio counts only if the A/A comparison beside it, of two windows that should be equal, is nearer to 1 than to the
bound.  Where the numbers are missing, too noisy, or say the opposite of the script, nothing is known.
"""

from dataclasses import replace

from repro.model.failure import Failure
from repro.model.growth import Growth, windows_of
from repro.model.observation import Observation, Rank
from repro.model.verdict import Judgement, Verdict
from repro.verdict.signature import shows


def with_growth(failure: Failure, observation: Observation, judgement: Judgement) -> Judgement:
    """The judgement, if the measurements of the run support it; else ``unrunnable`` with the reason."""
    growth = failure.growth
    if growth is None or failure.signature.kind != "growth":
        return judgement
    if judgement.verdict not in {Verdict.REPRODUCED, Verdict.ABSENT}:
        return judgement
    grows = judgement.verdict is Verdict.REPRODUCED
    ranks = [rank for rank in observation.ranks if not grows or (rank.error and shows(rank.error, failure.signature))]
    for rank in ranks:
        problem = _problem(rank, growth, grows=grows)
        if problem:
            return replace(judgement, verdict=Verdict.UNRUNNABLE, reason=f"rank {rank.rank} {problem}", rank=rank.rank)
    return replace(judgement, reason=f"{judgement.reason}; {_shown(ranks[0], growth)}") if ranks else judgement


def _problem(rank: Rank, growth: Growth, *, grows: bool) -> str:
    """Why the numbers of a rank do not support what its script says; empty if they do."""
    found = windows_of(rank.measured.get(growth.measured))
    if found is None:
        return f"measured no windows of {growth.measured}"
    if found.noise**2 >= growth.ratio:
        return (
            f"measured {growth.measured} with too much noise: two equal windows differ by a factor of "
            f"{found.noise:.3g}, where {growth.ratio:g} is the bound"
        )
    if (found.ratio >= growth.ratio) is not grows:
        said = "fails" if grows else "passes"
        factor = f"{growth.measured} changed by a factor of {found.ratio:.3g}"
        return f"{said}, but {factor}, where {growth.ratio:g} is the bound"
    return ""


def _shown(rank: Rank, growth: Growth) -> str:
    """``objects: 1.83 times in the second window (bound 1.5, A/A 1)``."""
    found = windows_of(rank.measured.get(growth.measured))
    assert found is not None  # noqa: S101 - what _problem says
    beside = f"bound {growth.ratio:g}, A/A {found.noise:.3g}"
    return f"{growth.quantity}: {found.ratio:.3g} times in the second window ({beside})"
