"""Which default cells have no recent run.  Pure: rows and a date in, an answer out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from repro.model.base import Strict
from repro.model.verdict import Verdict
from repro.report.rows import Row


class Overdue(Strict):
    """The answer of ``repro watch``."""

    format: Literal[1] = 1
    cells: int
    """How many default cells there are."""
    max_age_days: float
    """How old a run may be."""
    stale: tuple[str, ...]
    """The cells without such a run, each with the reason."""


def stale(rows: Sequence[Row], oldest: datetime) -> list[str]:
    """The cells that were not run since ``oldest``, each with the reason.  A run without a verdict does not count."""
    found = []
    for row in rows:
        if row.verdict is None:
            found.append(f"{row.cell.label}: never run as it is today")
        elif row.verdict == Verdict.UNRUNNABLE:
            found.append(f"{row.cell.label}: could not be run: {row.reason}")
        elif datetime.fromisoformat(row.date) < oldest:
            found.append(f"{row.cell.label}: last run on {row.date[:10]}")
    return found
