"""Which failures run on the interpreter that doctor examines, and why the others do not."""

from pathlib import Path

from repro.doctor.run_failures import cells_of, run_cells
from repro.launch.session import Silent
from repro.model.cell import Adopted
from repro.model.failure import Lane
from tests.unit.factories import failure, project

HERE = Adopted("/env/bin/python")


def test_cells() -> None:
    """Only what runs in the lane has a cell; the rest says which lane it needs."""
    both = failure(needs={"lanes": ["cpu", "cuda"]})
    gpu = failure(id="cuda-1", needs={"lanes": ["cuda"]})
    cpu = failure(id="cpu-1", needs={"lanes": ["cpu"]})
    cells, left_out = cells_of([both, gpu, cpu], HERE, Lane.CPU)
    assert [(cell.failure, cell.environment, cell.lane) for cell in cells] == [
        (both.id, HERE, Lane.CPU),
        ("cpu-1", HERE, Lane.CPU),
    ]
    assert left_out == {"cuda-1": "it needs a GPU: --lane cuda"}
    cells, left_out = cells_of([both, gpu, cpu], HERE, Lane.CUDA)
    assert [cell.failure for cell in cells] == [both.id, "cuda-1"]
    assert left_out == {"cpu-1": "it does not run in lane cuda"}


def test_nothing_to_run(tmp_path: Path) -> None:
    """No session is opened for no cell."""
    assert run_cells(project(tmp_path), HERE, [], Silent()) == {}
