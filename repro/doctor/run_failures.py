"""Runs failures on the interpreter that doctor examines."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from repro.catalog.project import Project
from repro.doctor.laid_over import LaidOver
from repro.launch.session import Listener, Options, Session
from repro.model.cell import Adopted, Cell, make_cell
from repro.model.failure import Failure, Lane
from repro.store.observations import Store
from repro.verdict.result import Result


def cells_of(failures: Iterable[Failure], place: Adopted | LaidOver, lane: Lane) -> tuple[list[Cell], dict[str, str]]:
    """The cells of failures on an interpreter, and the reason for each failure without a cell, by id."""
    environment = place.environment if isinstance(place, LaidOver) else place
    reason = "it needs a GPU: --lane cuda" if lane is Lane.CPU else f"it does not run in lane {lane}"
    cells = [make_cell(failure, environment, lane=lane) for failure in failures if lane in failure.needs.lanes]
    return cells, {failure.id: reason for failure in failures if lane not in failure.needs.lanes}


def run_cells(
    project: Project, place: Adopted | LaidOver, cells: Sequence[Cell], listener: Listener
) -> dict[str, Result]:
    """Run cells on an interpreter and return their results by failure; the observations are not kept."""
    if not cells:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        session = Session(project, Store(Path(folder)), Options(), listener)
        if isinstance(place, LaidOver):
            session.overlaid = lambda _: place.interpreter
        return {result.cell.failure: result for result in session.run(cells)}
