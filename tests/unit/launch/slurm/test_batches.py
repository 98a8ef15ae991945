"""Jobs: what each asks for, which cells share one, and what is sent again of a lost one."""

import pytest

from repro.catalog.catalog import Catalog, Entry
from repro.catalog.plan import Weights
from repro.launch.slurm.batches import (
    MOST_ATTEMPTS,
    Again,
    Allocation,
    SlurmOptions,
    again,
    allocation_of,
    divide,
    parse_raw,
    refuse_elsewhere,
)
from repro.model.cell import Adopted, Cell, Overlaid
from repro.model.errors import UsageError
from repro.model.failure import Lane
from tests.unit.factories import FAILURE, cell, failure

CATALOG = Catalog(None, {FAILURE: Entry(failure(), None)})  # type: ignore[arg-type]
OPTIONS = SlurmOptions()


def many(environment: str, number: int, **changes: object) -> list[Cell]:
    return [
        cell(environment=environment, factors={"state-dict-type": str(index)}, **changes) for index in range(number)
    ]


@pytest.mark.parametrize(
    ("made", "options", "expected"),
    [
        (cell(world_size=4), OPTIONS, Allocation(1, 4, 0)),
        (cell(world_size=4, nodes=2), OPTIONS, Allocation(2, 2, 0)),
        (cell(world_size=2, lane=Lane.CUDA), OPTIONS, Allocation(1, 2, 2)),
        (cell(world_size=2, lane=Lane.CUDA), SlurmOptions(gpus=8, cpus=1), Allocation(1, 1, 8)),
        (cell(world_size=2), SlurmOptions(gpus=8), Allocation(1, 2, 0)),
    ],
)
def test_allocation(made: Cell, options: SlurmOptions, expected: Allocation) -> None:
    """A core for each rank of a node; a device for each in the CUDA lane only."""
    assert allocation_of(failure(), made, options) == expected


def test_cells_that_need_other_nodes_have_jobs_of_their_own() -> None:
    """A job of one node is not held back by a cell that needs two; every cell is in one job."""
    cells = [cell(environment="a"), cell(environment="a", nodes=2, world_size=4), cell(environment="b", lane=Lane.CUDA)]
    found = divide(cells, CATALOG, OPTIONS, Weights())
    assert [batch.cells for batch in found] == [(one,) for one in cells]
    assert [batch.allocation for batch in found] == [Allocation(1, 2, 0), Allocation(2, 2, 0), Allocation(1, 2, 2)]


def test_the_plan_decides() -> None:
    """An environment whose runs outweigh its build has several jobs; never more than were asked for."""
    cells = many("a", 40) + many("b", 2)
    found = divide(cells, CATALOG, SlurmOptions(jobs=4), Weights())
    assert len(found) == 4
    assert sorted(made.label for batch in found for made in batch.cells) == sorted(made.label for made in cells)
    assert sum(any(made.environment.label == "b" for made in batch.cells) for batch in found) == 1


def test_a_job_asks_for_what_its_largest_cell_needs() -> None:
    (batch,) = divide([cell(environment="a"), cell(environment="a", world_size=8)], CATALOG, OPTIONS, Weights())
    assert batch.allocation.cpus == 8


def test_sent_again() -> None:
    """A cell that had begun may be why the job was lost: it is alone; what was sent twice is given up."""
    one, two, three, last = (cell(environment=name) for name in "abcd")
    attempts = {one.label: 1, two.label: 1, three.label: 1, last.label: MOST_ATTEMPTS}
    found = again([one, two, three, last], [two.label, last.label], attempts)
    assert found == Again(sent=((two,), (one, three)), given_up=(last,))
    assert again([last], [], attempts) == Again(sent=(), given_up=(last,))


def test_what_is_of_this_machine_alone_is_refused() -> None:
    for environment in (Adopted("/usr/bin/python3"), Overlaid("old")):
        with pytest.raises(UsageError, match="--on slurm runs on environments with a lock"):
            refuse_elsewhere([cell(environment=environment)])
    refuse_elsewhere([cell()])


def test_raw_options() -> None:
    assert parse_raw(["time=60", "--exclusive", "constraint=a=b"]) == (
        ("time", "60"),
        ("exclusive", ""),
        ("constraint", "a=b"),
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("nodes=3", "nodes is decided by repro"),
        ("--job-name=x", "job-name is decided by repro"),
        ("partition=x", "use --partition"),
        ("gpus-per-node=2", "use --gpus"),
        ("", "NAME=VALUE or NAME is expected"),
        ("a b=c", "NAME=VALUE or NAME is expected"),
        ("comment=x\n#SBATCH --uid=0", "NAME=VALUE or NAME is expected"),
    ],
)
def test_raw_options_that_are_refused(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_raw([setting])
