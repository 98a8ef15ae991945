"""The cells that a question needs."""

from repro.catalog.records import Failure
from repro.cell import Cell, make_cell
from repro.matrix import Matrix
from repro.search.ablation import factors_of, rows
from repro.verdict import is_affected


def ablation_cells(failure: Failure, environment: str) -> list[Cell]:
    """One cell a row of the ablation, in the order of its rows."""
    return [make_cell(failure, environment, factors=row) for row in rows(factors_of(failure))]


def ablation_environment(failure: Failure, matrix: Matrix) -> str | None:
    """Where a failure is taken apart by default: its first default environment whose pins are affected."""
    runs = matrix.runs.get(failure.id)
    names = runs.environments if runs else ()
    return next((name for name in names if is_affected(failure, matrix.environments[name].pins)), None)
