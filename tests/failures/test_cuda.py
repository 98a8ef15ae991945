"""The CUDA lane, where there are devices: every default cell with NCCL, no gate lifted, on devices of its own."""

from pathlib import Path

import pytest

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.launch.devices import Devices
from repro.launch.session import Session
from repro.model.cell import Cell, make_cell
from repro.model.failure import Lane
from repro.model.verdict import Status
from repro.store.observations import Store

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
