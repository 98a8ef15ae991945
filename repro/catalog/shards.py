"""Divides the default cells among machines: an environment is never on two of them, since it is built where it is."""

from collections.abc import Sequence

from repro.model.cell import Cell

BUILD_COST = 8
"""Building an environment takes about as long as so many cells."""


def shards(cells: Sequence[Cell], count: int) -> list[list[Cell]]:
    """At most ``count`` groups of about equal cost, none empty, the same for the same cells; order is kept inside.

    The dearest environment first, always to the lightest group.
    """
    by_environment: dict[str, list[Cell]] = {}
    for cell in cells:
        by_environment.setdefault(cell.environment, []).append(cell)
    groups: list[list[str]] = [[] for _ in range(max(1, min(count, len(by_environment))))]
    loads = [0] * len(groups)
    for name, held in sorted(by_environment.items(), key=lambda item: (-len(item[1]), item[0])):
        lightest = loads.index(min(loads))
        groups[lightest].append(name)
        loads[lightest] += BUILD_COST + len(held)
    return [[cell for cell in cells if cell.environment in group] for group in groups]
