"""``repro summary``."""

from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Reports
from repro.errors import StoreError
from repro.files import write_whole, writing
from repro.report.causes import cause_markdown, causes, summary_markdown
from repro.report.clean import clean
from repro.report.private import redacted_row, redactor_of
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
    project = Project.here(reports, catalog)
    file = project.reports / "matrix.json"
    try:
        held = Report.model_validate_json(file.read_bytes()).rows
    except (OSError, ValueError):
        raise StoreError(f"{file}: cannot be read; write it anew with `repro report`") from None
    redact = redactor_of(project)
    # A report that an older version wrote, or another machine, may hold more than ours would.
    rows = [redacted_row(row, redact) for row in held]
    typer.echo(clean(summary_markdown(rows)))
    for cause in causes(rows) if issues else ():
        with writing(issues or Path()):
            text = clean(f"{cause.title}\n\n{cause_markdown(cause)}")
            write_whole((issues or Path()) / f"{cause.slug}.md", text)
