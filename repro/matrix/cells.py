"""The default cells of ``matrix.yaml``."""

from repro.catalog.loading import Catalog
from repro.cell import Cell, make_cell
from repro.matrix.models import Matrix


def default_cells(matrix: Matrix, catalog: Catalog) -> list[Cell]:
    """Every default cell, in the order of the file: each failure's environments, then its backports."""
    cells: list[Cell] = []
    for failure_id, runs in matrix.runs.items():
        failure = catalog[failure_id].failure
        cells += [make_cell(failure, environment) for environment in runs.environments]
        cells += [
            make_cell(failure, environment, backport=backport)
            for environment, backports in runs.backports.items()
            for backport in backports
        ]
    return cells
