"""The parts of the default cells for CI jobs, and the names by which `repro run --shard` takes them.  Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from repro.catalog.catalog import Catalog
from repro.catalog.plan import Part, Weights, plan
from repro.model.base import Strict
from repro.model.cell import Cell
from repro.model.errors import UsageError

_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})(?:@([0-9a-f]{8}))?")


class ShardJob(Strict):
    """One machine's part of the default cells."""

    shard: str
    """``2/6@1a2b3c4d``, the argument of `repro run --shard`."""
    cells: int
    """The number of its cells."""
    environments: str
    """The names of its environments, separated by spaces."""
    seconds: int
    """How long it is expected to take, builds included."""


class Jobs(Strict):
    """The answer of ``repro matrix --json``."""

    format: Literal[1] = 1
    shards: tuple[ShardJob, ...]


class GithubMatrix(Strict):
    """The answer of ``repro matrix --github``: the ``matrix`` of a job's ``strategy``."""

    include: tuple[ShardJob, ...]


def jobs(cells: Sequence[Cell], count: int, weights: Weights, catalog: Catalog | None = None) -> tuple[ShardJob, ...]:
    """The default cells divided among at most ``count`` machines."""
    parts = plan(cells, count, weights, catalog)
    return tuple(
        ShardJob(
            shard=f"{number}/{len(parts)}@{digest(parts)}",
            cells=len(part.cells),
            environments=" ".join(part.environments),
            seconds=round(part.seconds),
        )
        for number, part in enumerate(parts, 1)
    )


def digest(parts: Sequence[Part]) -> str:
    """Eight hexadecimal digits that differ between two divisions of cells."""
    text = "\n\n".join("\n".join(cell.label for cell in part.cells) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def cells_of_shard(
    shard: str, cells: Sequence[Cell], measured: Mapping[str, float], catalog: Catalog | None = None
) -> list[Cell]:
    """The cells of a shard; raises UsageError.

    ``2/6`` divides by what the records say, so that it means the same on every machine.  ``2/6@1a2b3c4d`` is a part of
    the plan that `repro matrix` printed, by measured seconds; it is refused if the plan here is another one, since
    cells would then run twice or never.
    """
    found = _SHARD.fullmatch(shard)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {shard}: K/N is expected, such as 2/6, or K/N@DIGEST as `repro matrix` prints it")
    number, count, expected = int(found[1]), int(found[2]), found[3]
    parts = plan(cells, count, Weights(measured if expected else {}), catalog)
    if expected and digest(parts) != expected:
        raise UsageError(
            f"--shard {shard}: the plan here is @{digest(parts)}: other cells, or other measured seconds in the store;"
            " run `repro matrix` again"
        )
    return list(parts[number - 1].cells) if number <= len(parts) else []
