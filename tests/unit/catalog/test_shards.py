"""Shards: what `repro matrix` names is what `repro run --shard` runs, or it is refused."""

import pytest

from repro.catalog.plan import Weights
from repro.catalog.shards import cells_of_shard, jobs
from repro.model.errors import UsageError
from tests.unit.factories import cell

CELLS = [cell(environment=name, failure=failure) for name in ("a", "b", "c") for failure in ("x", "y")]
MEASURED = {CELLS[0].label: 400.0} | {made.label: 2.0 for made in CELLS[1:]}


def test_jobs() -> None:
    """Each machine knows its number, its cells and the environments that it builds, each once."""
    one, other = jobs(CELLS, 2, Weights(MEASURED))
    assert [made.environments for made in (one, other)] == ["a", "b c"]
    assert [made.cells for made in (one, other)] == [2, 4]
    assert one.shard.startswith("1/2@")
    assert one.seconds > other.seconds
    assert [made.environments.split() for made in jobs(CELLS, 1, Weights())] == [["a", "b", "c"]]


def test_the_shards_are_all_cells() -> None:
    found = [made for job in jobs(CELLS, 2, Weights(MEASURED)) for made in cells_of_shard(job.shard, CELLS, MEASURED)]
    assert sorted(made.label for made in found) == sorted(made.label for made in CELLS)


def test_another_plan_is_refused() -> None:
    """Other measurements would give other shards: cells would run twice or never."""
    shard = jobs(CELLS, 2, Weights(MEASURED))[0].shard
    with pytest.raises(UsageError, match=r"the plan here is @.* run `repro matrix` again"):
        cells_of_shard(shard, CELLS, {})
    with pytest.raises(UsageError, match="the plan here is"):
        cells_of_shard(shard, CELLS[:-1], MEASURED)


def test_a_shard_without_a_digest_needs_no_measurements() -> None:
    """It means the same on every machine, whatever its store holds."""
    parts = [[cells_of_shard(f"{number}/2", CELLS, held) for number in (1, 2)] for held in ({}, MEASURED)]
    assert parts[0] == parts[1]
    assert sorted(made.label for part in parts[0] for made in part) == sorted(made.label for made in CELLS)
    assert cells_of_shard("9/9", CELLS, {}) == []


@pytest.mark.parametrize("shard", ["3/2", "0/2", "²/3", "1/99999", "1/2@", "1/2@xyz", "1", ""])
def test_refused(shard: str) -> None:
    with pytest.raises(UsageError, match="K/N is expected"):
        cells_of_shard(shard, CELLS, {})
