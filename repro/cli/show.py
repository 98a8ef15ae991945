"""``repro show``."""

from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.report.catalog_lines import lines_of
from repro.report.console import console


def show(
    failure_id: Annotated[
        str, typer.Argument(metavar="ID", help="A failure's id, or an upstream issue: transformers-34928.")
    ],
    *,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Show one failure: symptom, affected versions, cures.

    Example: repro show lightning-19492
    """
    project = Project.here(catalog=catalog)
    if as_json:
        typer.echo(project.catalog.named(failure_id).failure.model_dump_json(indent=1))
        return
    out = console()
    for line in lines_of(project, failure_id):
        out.print(Text(line))
