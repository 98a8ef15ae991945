"""The default cells of ``matrix.yaml``, and all cells that apply."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from repro.catalog.catalog import Catalog
from repro.model.cell import Cell, make_cell
from repro.model.failure import Failure, Lane, inapplicable
from repro.model.matrix import Matrix


def default_cells(
    matrix: Matrix, catalog: Catalog, of: Collection[str] | None = None, lane: Lane | None = None
) -> list[Cell]:
    """The default cells in the order of the file: each failure's environments, then its backports.

    ``of`` names failures, finished or not; without it these are the cells of all finished ones.  ``lane`` keeps the
    cells of one lane: a failure without the CPU lane has its default cells in its own.  Raises RecordError
    for a named failure whose record is not valid, UsageError if the matrix runs one that the catalogue does not have.
    """
    cells: list[Cell] = []
    for failure_id, runs in matrix.runs.items():
        if failure_id in catalog.faults if of is None else failure_id not in of:
            continue
        failure = catalog[failure_id].failure
        cells += [make_cell(failure, environment) for environment in runs.environments]
        cells += [
            make_cell(failure, environment, backport=backport)
            for environment, backports in runs.backports.items()
            for backport in backports
        ]
    return [cell for cell in cells if lane in {None, cell.lane}]


@dataclass(frozen=True)
class NotApplicable:
    """A failure that does not run on an environment, and why."""

    failure: str
    environment: str
    reason: str


def all_cells(
    failures: Iterable[Failure], versions: Mapping[str, Mapping[str, str]], lane: Lane = Lane.CPU
) -> tuple[list[Cell], list[NotApplicable]]:
    """Every failure on every environment that it applies to, and what is left out.

    ``versions`` are those that the environments' locks hold, by environment and distribution.
    """
    cells: list[Cell] = []
    left_out: list[NotApplicable] = []
    for failure in failures:
        for name, held in versions.items():
            reason = inapplicable(failure, dict(held))
            if lane not in failure.needs.lanes:
                reason = f"runs in lane {', '.join(failure.needs.lanes)} only"
            if reason:
                left_out.append(NotApplicable(failure.id, name, reason))
            else:
                cells.append(make_cell(failure, name, lane=lane))
    return cells, left_out
