"""Divides the default cells among machines; each environment is built on one machine only."""

from collections.abc import Sequence
from typing import Literal

from repro.model.base import Strict
from repro.model.cell import Cell

BUILD_COST = 8
"""The cost of building an environment, in cells."""


class ShardJob(Strict):
    """One machine's part of the default cells."""

    shard: str
    """``2/6``, the argument of `repro run --shard`."""
    cells: int
    """The number of its cells."""
    environments: str
    """The names of its environments, separated by spaces."""


class Jobs(Strict):
    """The answer of ``repro matrix --json``."""

    format: Literal[1] = 1
    shards: tuple[ShardJob, ...]


class GithubMatrix(Strict):
    """The answer of ``repro matrix --github``: the ``matrix`` of a job's ``strategy``."""

    include: tuple[ShardJob, ...]


def jobs(cells: Sequence[Cell], count: int) -> tuple[ShardJob, ...]:
    """The default cells divided among at most ``count`` machines."""
    made = shards(cells, count)
    return tuple(
        ShardJob(
            shard=f"{number}/{len(made)}",
            cells=len(group),
            environments=" ".join(dict.fromkeys(cell.environment.label for cell in group)),
        )
        for number, group in enumerate(made, 1)
    )


def shards(cells: Sequence[Cell], count: int) -> list[list[Cell]]:
    """At most ``count`` groups of about equal cost, none empty, the same for the same cells; order is kept inside.

    The most expensive environment is assigned first, each to the group with the lowest cost.
    """
    by_environment: dict[str, list[Cell]] = {}
    for cell in cells:
        by_environment.setdefault(cell.environment.label, []).append(cell)
    groups: list[list[str]] = [[] for _ in range(max(1, min(count, len(by_environment))))]
    loads = [0] * len(groups)
    for name, held in sorted(by_environment.items(), key=lambda item: (-len(item[1]), item[0])):
        lightest = loads.index(min(loads))
        groups[lightest].append(name)
        loads[lightest] += BUILD_COST + len(held)
    return [[cell for cell in cells if cell.environment.label in group] for group in groups]
