"""``repro watch``."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.cli.skipped import print_skipped
from repro.errors import exit_of
from repro.report.overdue import Overdue, stale
from repro.report.rows import Lookup
from repro.store.observations import Store


def watch(
    *,
    days: Annotated[float, typer.Option("--max-age", min=0, metavar="DAYS", help="The greatest age of a run.")] = 8,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Check that every default cell was run recently.

    Exit code 3 if some cell was not run for that many days.

    Example: repro watch --max-age 8
    """
    project = Project.here(reports, catalog)
    print_skipped(project)
    lookup = Lookup(project.catalog, project.environments, Store(project.reports / "data"))
    rows = [lookup.row(cell) for cell in default_cells(project.matrix, project.catalog)]
    found = stale(rows, datetime.now(UTC) - timedelta(days=days))
    if as_json:
        typer.echo(Overdue(cells=len(rows), max_age_days=days, stale=tuple(found)).model_dump_json(indent=1))
    else:
        for line in found:
            typer.echo(line)
        typer.echo(f"{len(rows) - len(found)} of {len(rows)} default cells were run in the last {days:g} days")
    raise typer.Exit(exit_of(unknown=bool(found)))
