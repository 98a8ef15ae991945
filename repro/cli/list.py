"""``repro list``."""

import typer
from rich.table import Table
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import print_skipped
from repro.report.brief import brief
from repro.report.console import console
from repro.report.format import format_releases


def list_(*, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """List the failures of the catalogue.

    Example: repro list
    """
    project = Project.here(catalog=catalog)
    held = project.catalog
    print_skipped(project)
    if as_json:
        typer.echo(brief(held).model_dump_json(indent=1))
        return
    table = Table(box=None, pad_edge=False, show_header=True)
    for heading in ("id", "kind", "affected", "title"):
        table.add_column(heading, overflow="fold")
    for entry in held:
        failure = entry.failure
        alone = " or ".join(format_releases(releases) for releases in failure.affected)
        affected = failure.affected_together or alone
        table.add_row(*(Text(text) for text in (failure.id, failure.kind, affected, failure.title)))
    console().print(table)
