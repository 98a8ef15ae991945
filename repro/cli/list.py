"""``repro list``."""

import typer
from rich.table import Table
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import print_skipped
from repro.report.catalog_lines import listed_of
from repro.report.console import console


def list_(*, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """List the failures of the catalogue.

    Example: repro list
    """
    listed = listed_of(Project.here(catalog=catalog))
    print_skipped(listed.skipped)
    if as_json:
        typer.echo(listed.answer)
        return
    table = Table(box=None, pad_edge=False, show_header=True)
    for heading in ("id", "kind", "affected", "title"):
        table.add_column(heading, overflow="fold")
    for row in listed.rows:
        table.add_row(*map(Text, row))
    console().print(table)
