"""Writes the reports of a project from its store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.files import write_whole, writing
from repro.model.cell import Cell
from repro.model.errors import StoreError
from repro.report.answers import against_record
from repro.report.failure_page import failure_markdown
from repro.report.junit import junit_xml
from repro.report.lanes import LanePair, lanes_markdown, of_lanes, pairs
from repro.report.matrix_page import matrix_markdown
from repro.report.private import RedactedLookup, redacted, redacted_row, redactor_of
from repro.report.rows import Lookup, Report, Row
from repro.report.upstream import UpstreamComparison, compare_with_upstream
from repro.report.view import FailureView, failure_view
from repro.search.ablation import ablation_environment
from repro.search.watch_plan import WATCH_FILE, Watched
from repro.store.answers import AnswerStore
from repro.store.observations import Store


@dataclass(frozen=True)
class Gathered:
    """The content of all reports."""

    cells: tuple[Cell, ...]
    """The default cells."""
    lookup: Lookup
    report: Report
    comparisons: tuple[UpstreamComparison, ...]
    """The views of every failure that the matrix runs."""
    views: tuple[FailureView, ...]
    """The views of the failures whose pages were requested."""
    lanes: tuple[LanePair, ...]


def gather(project: Project, store: Store, of: Collection[str] | None = None, *, output: bool = True) -> Gathered:
    """Read the content of the reports from the store; ``of`` names the failures that need a page, None means all.

    Without ``output`` the output of ranks is left out: only the site shows it, and redacting it is slow.
    """
    catalog = project.catalog
    cells = default_cells(project.matrix, catalog)
    # An unfinished record has a page only if it was asked for by id.
    drafts = {name: entry for name, entry in catalog.drafts.items() if of is not None and name in of}
    redact = redactor_of(project)
    lookup = RedactedLookup(project.catalog, project.environments, store, redact=redact, output=output)
    rows = tuple(lookup.row(cell) for cell in cells)
    answers = {
        failure: [
            redacted(against_record(answer, entry.failure), redact) for answer in AnswerStore(store.root).of(failure)
        ]
        for failure, entry in (catalog.entries | drafts).items()
    }
    comparisons = tuple(
        compare_with_upstream(entry.failure, [row for row in rows if row.cell.failure == failure], answers[failure])
        for failure, entry in catalog.entries.items()
        if failure in project.matrix.runs
    )
    views = tuple(
        failure_view(
            entry,
            default_cells(project.matrix, catalog, [failure]),
            lookup,
            ablation_environment(entry.failure, project.matrix),
            answers[failure],
        )
        for failure, entry in (catalog.entries | drafts).items()
        if of is None or failure in of
    )
    lanes = pairs(of_lanes(store, project.catalog), project.catalog)
    return Gathered(tuple(cells), lookup, Report(rows=rows), comparisons, views, lanes)


def stored_watch(reports: Path) -> Watched | None:
    """The last answer of `repro watch` about new releases; None if there is none.  Raises StoreError."""
    file = reports / WATCH_FILE
    if not file.is_file():
        return None
    try:
        return Watched.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        raise StoreError(f"{file}: cannot be read; remove it and write it anew with `repro watch`") from None


def write_reports(
    project: Project, store: Store, of: Collection[str] | None = None, *, output: bool = True
) -> Gathered:
    """Write ``matrix.md``, ``matrix.json``, ``lanes.md`` and a page for each failure.

    ``of`` are the failures with new runs: only their pages, and missing pages, are written.  ``output`` is that of
    ``gather``.  Raises StoreError if a file cannot be written.
    """
    if of is not None:
        of = {*of, *(name for name in project.catalog.entries if not _page(project, name).is_file())}
    found = gather(project, store, of, output=output)
    with writing(f"{project.reports}: reports"):
        write_whole(project.reports / "matrix.json", found.report.model_dump_json(indent=1) + "\n")
        write_whole(project.reports / "lanes.md", lanes_markdown(found.lanes, redactor_of(project)))
        matrix = matrix_markdown(found.report.rows, project.catalog, found.comparisons)
        write_whole(project.reports / "matrix.md", matrix)
        for view in found.views:
            write_whole(_page(project, view.failure.id), failure_markdown(view))
    return found


def _page(project: Project, failure: str) -> Path:
    return project.reports / f"{failure}.md"


def write_junit(file: Path | None, rows: Sequence[Row], project: Project) -> None:
    """Write the rows as JUnit XML, redacted, if a file is given; raises StoreError."""
    if file is None:
        return
    with writing(file):
        write_whole(file, junit_xml([redacted_row(row, redactor_of(project)) for row in rows]))
