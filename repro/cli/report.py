"""``repro report``."""

from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Junit, Reports
from repro.cli.skipped import print_skipped
from repro.doctor.browser.box import box_knowledge, box_script
from repro.report.console import console
from repro.report.site.answer_box import AnswerBox
from repro.report.site.publish import publish
from repro.report.terminal import table
from repro.report.write import write_junit, write_reports
from repro.store.observations import Store


def report(
    *,
    html: Annotated[
        bool, typer.Option("--html", help="Write the site too: index.html, pages, logs, feed.xml.")
    ] = False,
    junit: Junit = None,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Write the reports from stored runs; run nothing.

    Example: repro report --html
    """
    project = Project.here(reports, catalog)
    store = Store(project.reports / "data")
    print_skipped(project.catalog.skipped)
    found = write_reports(project, store)
    if html:
        publish(project, store, found, AnswerBox(box_script(), box_knowledge(project)))
    rows = found.report.rows
    write_junit(junit, rows, project)
    if as_json:
        typer.echo(found.report.model_dump_json(indent=1))
    else:
        out = console()
        out.print(table(rows, out.width))
        if html:
            out.print(Text(f"the site: {project.reports / 'index.html'}"))
