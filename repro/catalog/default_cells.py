"""The default cells of ``matrix.yaml``, and all cells that apply."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from repro.catalog.catalog import Catalog
from repro.model.affected import inapplicable
from repro.model.cell import Cell, make_cell
from repro.model.errors import UsageError
from repro.model.failure import Failure, Lane
from repro.model.matrix import Matrix


def default_cells(
    matrix: Matrix, catalog: Catalog, of: Collection[str] | None = None, lane: Lane | None = None
) -> list[Cell]:
    """The default cells in the order of the file: each failure's environments, then its backports.

    ``of`` names failures, finished or not; the default is all finished ones.  ``lane`` selects the cells of one lane; a
    failure without the CPU lane has default cells in its own lane.  Raises RecordError for a named failure with an
    invalid record, UsageError if the matrix runs a failure that is not in the catalogue.
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
        for pair in runs.pairs:
            if set(pair.environments) != set(failure.roles):
                named = ", ".join(failure.roles) or "none: it has no stages"
                raise UsageError(f"matrix.yaml, runs of {failure_id}: a pair names each role once ({named})")
            cells += [
                make_cell(failure, pair.environments[failure.roles[-1]], backport=backport, roles=pair.environments)
                for backport in (None, *pair.backports)
            ]
    return [cell for cell in cells if lane in {None, cell.lane}]


@dataclass(frozen=True)
class NotApplicable:
    """A failure that does not run on an environment, with the reason."""

    failure: str
    environment: str
    reason: str


def all_cells(
    failures: Iterable[Failure], versions: Mapping[str, Mapping[str, str]], lane: Lane = Lane.CPU
) -> tuple[list[Cell], list[NotApplicable]]:
    """The cells of every failure on every environment to which it applies, and those left out.

    ``versions`` are the versions in the environments' locks, by environment and distribution.
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
