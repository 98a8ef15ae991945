"""``repro matrix``."""

import json
from typing import Annotated

import typer

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.catalog.shards import shards
from repro.cli.options import Elsewhere, Json


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
