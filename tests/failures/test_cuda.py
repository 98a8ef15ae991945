"""The CUDA lane, where there are devices: every default cell with NCCL, no gate lifted, on devices of its own."""

from pathlib import Path

import pytest

from repro.catalog.records import Lane
from repro.cell import Cell, make_cell
from repro.devices import Devices
from repro.matrix import default_cells
from repro.project import Project
from repro.session import Session
from repro.store import Store
from repro.verdict import Status

PROJECT = Project.here()
DEVICES = Devices.here(PROJECT.cache / "devices")
CELLS = [
    make_cell(PROJECT.catalog[cell.failure].failure, cell.environment, lane=Lane.CUDA, backport=cell.backport)
    for cell in default_cells(PROJECT.matrix, PROJECT.catalog)
    if Lane.CUDA in PROJECT.catalog[cell.failure].failure.needs.lanes
]


@pytest.mark.gpu
@pytest.mark.parametrize("cell", CELLS, ids=[cell.label for cell in CELLS])
def test_as_documented(cell: Cell, tmp_path: Path) -> None:
    """What the record says of the installed versions is what CUDA shows."""
    lacking = DEVICES.lack(cell.world_size)
    if lacking:
        pytest.skip(lacking)
    (result,) = Session(PROJECT, Store(tmp_path)).run([cell])
    assert result.status is Status.AS_DOCUMENTED, result.judgement
    assert not any(rank.gates for rank in result.newest.ranks)
