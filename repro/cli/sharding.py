"""``repro matrix`` and ``repro watch``: what a schedule needs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from repro.cli.options import Elsewhere, Json, Reports
from repro.exits import Exit
from repro.matrix import default_cells
from repro.matrix.shards import shards
from repro.project import Project
from repro.report.rows import Lookup, Row
from repro.store import Store
from repro.verdict import Verdict


def matrix(
    *,
    count: Annotated[int, typer.Option("--shards", min=1, max=256, help="Into so many jobs at most.")] = 1,
    github: Annotated[bool, typer.Option("--github", help="As the matrix of a GitHub job, on one line.")] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Divide the default cells among jobs; an environment is built in one job only.

    `repro run --shard 2/6` runs the second of six.

    Example: repro matrix --github --shards 6
    """
    project = Project.here(catalog=catalog)
    made = shards(default_cells(project.matrix, project.catalog), count)
    jobs = [
        {
            "shard": f"{number}/{len(made)}",
            "cells": len(cells),
            "environments": " ".join(dict.fromkeys(cell.environment for cell in cells)),
        }
        for number, cells in enumerate(made, 1)
    ]
    if github:
        typer.echo(json.dumps({"include": jobs}, separators=(",", ":")))
    elif as_json:
        typer.echo(json.dumps({"format": 1, "shards": jobs}, indent=1))
    else:
        for job in jobs:
            typer.echo(f"{job['shard']}  {job['cells']} cells: {job['environments']}")


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
