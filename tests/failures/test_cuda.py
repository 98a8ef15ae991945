"""The CUDA lane, where there are devices: every default cell with NCCL, no gate lifted, on devices of its own."""

import pytest

from repro.catalog.default_cells import default_cells
from repro.model.failure import Lane
from repro.model.verdict import Status
from repro.testing.matched import parameter, placed_cells, venue_of
from repro.verdict.result import Result


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cells of the CUDA lane, where the options say."""
    venue = venue_of(metafunc.config)
    names = dict.fromkeys(cell.failure for cell in default_cells(venue.project.matrix, venue.project.catalog))
    placed = [item for name in names for item in placed_cells(venue, name)]
    cells = [parameter(item.cell, item.cell.label, item) for item in placed if item.cell.lane is Lane.CUDA]
    metafunc.parametrize("result", cells, indirect=True)


def test_as_documented(result: Result) -> None:
    """What the record says of the installed versions is what CUDA shows."""
    assert result.status is Status.AS_DOCUMENTED, result.judgement
    assert not any(rank.gates for rank in result.newest.ranks)
