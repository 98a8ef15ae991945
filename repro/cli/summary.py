"""``repro summary``."""

from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.files import write_whole, writing
from repro.model.answers.evidence import CauseAnswer, SummaryAnswer
from repro.model.clean import clean, clean_line
from repro.model.errors import StoreError
from repro.report.answers import against_record
from repro.report.causes import Cause, cause_markdown, causes, release_markdown, release_slug, summary_markdown
from repro.report.private import Redact, redacted, redacted_row, redactor_of
from repro.report.rows import Report, Row
from repro.store.answers import AnswerStore, Turned


def summary(
    *,
    issues: Annotated[
        Path | None,
        typer.Option("--issues", metavar="DIR", help="Write one file for each root cause to DIR."),
    ] = None,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Print the last report as Markdown, by root cause.

    For the summary page of a CI job.  Nothing is posted.  A release that changed a verdict has a file of its own until
    the record says the same.

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
    found = causes(rows)
    typer.echo(_answer(rows, found).model_dump_json(indent=1) if as_json else clean(summary_markdown(rows)))
    if issues is None:
        return
    files = [(cause.slug, cause.title, cause_markdown(cause)) for cause in found]
    files += [
        (release_slug(answer), answer.sentence, release_markdown(answer)) for answer in _unwritten(project, redact)
    ]
    for slug, title, text in files:
        with writing(issues):
            write_whole(issues / f"{slug}.md", clean(f"{title}\n\n{text}"))


def _unwritten(project: Project, redact: Redact) -> list[Turned]:
    """What new releases changed, as far as the record does not say it yet."""
    answers = AnswerStore(project.reports / "data")
    held = [
        against_record(answer, entry.failure) for entry in project.catalog for answer in answers.of(entry.failure.id)
    ]
    return [
        redacted(answer, redact)
        for answer in held
        if isinstance(answer, Turned) and answer.holds and not answer.after.agrees
    ]


def _answer(rows: list[Row], found: list[Cause]) -> SummaryAnswer:
    return SummaryAnswer(
        cells=len(rows),
        run=sum(row.verdict is not None for row in rows),
        causes=tuple(
            CauseAnswer(
                slug=cause.slug,
                title=clean_line(cause.title),
                status=cause.status,
                cells=tuple(row.cell for row in cause.rows),
            )
            for cause in found
        ),
        not_run=tuple(row.cell for row in rows if row.verdict is None),
    )
