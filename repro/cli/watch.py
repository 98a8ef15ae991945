"""``repro watch``."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.errors import Exit
from repro.model.verdict import Verdict
from repro.report.rows import Lookup, Row
from repro.store.observations import Store


def stale(rows: list[Row], oldest: datetime) -> list[str]:
    """What keeps a run from being complete: cells that were not run since ``oldest``, each with the reason.  Pure."""
    found = []
    for row in rows:
        if row.verdict is None:
            found.append(f"{row.cell.label}: never run as it is today")
        elif row.verdict == Verdict.UNRUNNABLE:
            found.append(f"{row.cell.label}: could not be run: {row.reason}")
        elif datetime.fromisoformat(row.date) < oldest:
            found.append(f"{row.cell.label}: last run on {row.date[:10]}")
    return found


def watch(
    *,
    days: Annotated[float, typer.Option("--max-age", min=0, metavar="DAYS", help="How old a run may be.")] = 8,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Watch the schedule: exit code 3 if some default cell has not been run for so many days.

    Example: repro watch --max-age 8
    """
    project = Project.here(reports, catalog)
    lookup = Lookup(project.catalog, project.environments, Store(project.reports / "data"))
    rows = [lookup.row(cell) for cell in default_cells(project.matrix, project.catalog)]
    found = stale(rows, datetime.now(UTC) - timedelta(days=days))
    if as_json:
        typer.echo(json.dumps({"format": 1, "cells": len(rows), "max_age_days": days, "stale": found}, indent=1))
    else:
        for line in found:
            typer.echo(line)
        typer.echo(f"{len(rows) - len(found)} of {len(rows)} default cells were run in the last {days:g} days")
    raise typer.Exit(Exit.UNKNOWN if found else Exit.OK)
