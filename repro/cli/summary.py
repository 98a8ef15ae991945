"""``repro summary``."""

from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Reports
from repro.errors import StoreError
from repro.files import write_whole
from repro.report.causes import cause_markdown, causes, summary_markdown
from repro.report.rows import Report


def summary(
    *,
    issues: Annotated[
        Path | None, typer.Option("--issues", metavar="DIR", help="Write a file a root cause there: title, body.")
    ] = None,
    reports: Reports = None,
    catalog: Elsewhere = None,
) -> None:
    """Print the last report as Markdown, by root cause.

    It is what a CI job shows of its run.  Nothing is posted.

    Example: repro summary --issues issues
    """
    file = Project.here(reports, catalog).reports / "matrix.json"
    try:
        rows = Report.model_validate_json(file.read_bytes()).rows
    except (OSError, ValueError):
        raise StoreError(f"{file}: cannot be read; write it anew with `repro report`") from None
    typer.echo(summary_markdown(rows))
    for cause in causes(rows) if issues else ():
        try:
            write_whole((issues or Path()) / f"{cause.slug}.md", f"{cause.title}\n\n{cause_markdown(cause)}")
        except OSError as error:
            raise StoreError(f"{issues}: cannot be written: {error.strerror}") from None
