"""``repro matrix``."""

from typing import Annotated

import typer

from repro.catalog.default_cells import default_cells
from repro.catalog.plan import Weights
from repro.catalog.project import Project
from repro.catalog.shards import GithubMatrix, Jobs, jobs
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import print_skipped
from repro.model.failure import Lane
from repro.store.observations import Store
from repro.store.seconds import measured_seconds


def matrix(
    *,
    count: Annotated[int, typer.Option("--shards", min=1, max=256, help="The greatest number of jobs.")] = 1,
    github: Annotated[bool, typer.Option("--github", help="Print the matrix of a GitHub job, on one line.")] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Divide the default cells of the CPU lane among CI jobs.

    The jobs end at about the same time: the seconds of a cell are those of its newest stored runs, hangs included. The
    cells of an environment stay together, and are divided only if their runs take longer than its build.

    `repro run --shard 2/6@1a2b3c4d` runs the second of six; it is refused where the plan would be another one.

    Example: repro matrix --github --shards 6
    """
    project = Project.here(catalog=catalog)
    print_skipped(project.catalog.skipped)
    cells = default_cells(project.matrix, project.catalog, lane=Lane.CPU)
    measured = measured_seconds(Store(project.reports / "data"), {cell.failure for cell in cells})
    made = jobs(cells, count, Weights(measured), project.catalog)
    if github:
        typer.echo(GithubMatrix(include=made).model_dump_json())
    elif as_json:
        typer.echo(Jobs(shards=made).model_dump_json(indent=1))
    else:
        for job in made:
            typer.echo(f"{job.shard}  {job.cells} cells, {job.seconds} s: {job.environments}")
