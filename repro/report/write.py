"""Writes the reports of a project from its store."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.catalog.catalog import Entry
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
from repro.report.private import Redact, RedactedLookup, redacted, redacted_row, redactor_of
from repro.report.rows import Lookup, Report, Row
from repro.report.upstream import UpstreamComparison, compare_with_upstream
from repro.report.view import FailureView, failure_view
from repro.search.ablation import ablation_environment
from repro.search.watch_plan import WATCH_FILE, Watched
from repro.store.answers import AnswerStore, Stored
from repro.store.observations import Store
from repro.store.parallel import FAILURES_FOR_PROCESSES, compute_all

MATRIX = "matrix.json"


@dataclass(frozen=True)
class Gathered:
    """The content of all reports."""

    cells: tuple[Cell, ...]
    """The default cells."""
    lookup: Lookup
    report: Report
    comparisons: tuple[UpstreamComparison, ...]
    """Of every failure that the matrix runs."""
    pages: Mapping[str, str]
    """The Markdown page of each failure that was asked for."""
    views: tuple[FailureView, ...]
    """The views of these failures; only with ``output``, since the runs of a large store fill the memory."""
    lanes: tuple[LanePair, ...]


@dataclass(frozen=True)
class _Content:
    """The content of the reports that is about one failure."""

    rows: tuple[Row, ...]
    upstream: UpstreamComparison
    page: str | None = None
    view: FailureView | None = None


def gather(project: Project, store: Store, of: Collection[str] | None = None, *, output: bool = True) -> Gathered:
    """Read the content of the reports from the store; ``of`` names the failures that need a page, None means all.

    Without ``output`` the output of ranks is left out: only the site shows it, and redacting it is slow.
    """
    catalog = project.catalog
    cells = default_cells(project.matrix, catalog)
    by_failure: dict[str, list[Cell]] = {}
    for cell in cells:
        by_failure.setdefault(cell.failure, []).append(cell)
    # An unfinished record has a page only if it was asked for by id.
    drafts = {name: entry for name, entry in catalog.drafts.items() if of is not None and name in of}
    redact = redactor_of(project)
    entries = {**catalog.entries, **drafts}
    lookup = RedactedLookup(project.catalog, project.environments, store, redact=redact, output=output)
    stored = AnswerStore(store.root)

    def content(failure: str) -> _Content:
        entry = entries[failure]
        answers = _answers(stored, entry, redact)
        if of is None or failure in of:
            view = _view(project, entry, lookup, answers)
            found = _Content(view.rows, view.upstream, failure_markdown(view), view if output else None)
        else:
            rows = tuple(lookup.row(cell) for cell in by_failure.get(failure, []))
            found = _Content(rows, compare_with_upstream(entry.failure, rows, answers))
        if not output:
            lookup.forget()
        return found

    # The site needs the runs themselves, and sending them takes longer than reading them here.
    fewest = len(entries) + 1 if output else FAILURES_FOR_PROCESSES
    contents = dict(zip(entries, compute_all(content, list(entries), fewest=fewest), strict=True))
    rows = {row.cell.label: row for found in contents.values() for row in found.rows}
    runs = [name for name in catalog.entries if name in project.matrix.runs]
    comparisons = tuple(contents[name].upstream for name in runs)
    pages = {name: found.page for name, found in contents.items() if found.page is not None}
    views = tuple(found.view for found in contents.values() if found.view is not None)
    lanes = pairs(of_lanes(store, project.catalog), project.catalog)
    report = Report(rows=tuple(rows[cell.label] for cell in cells))
    return Gathered(tuple(cells), lookup, report, comparisons, pages, views, lanes)


def _answers(stored: AnswerStore, entry: Entry, redact: Redact) -> list[Stored]:
    """The answers of the searches for a failure, as its record stands today."""
    return [redacted(against_record(answer, entry.failure), redact) for answer in stored.of(entry.failure.id)]


def _view(project: Project, entry: Entry, lookup: Lookup, answers: Sequence[Stored]) -> FailureView:
    cells = default_cells(project.matrix, project.catalog, [entry.failure.id])
    return failure_view(entry, cells, lookup, ablation_environment(entry.failure, project.matrix), answers)


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
        write_whole(project.reports / MATRIX, found.report.model_dump_json(indent=1) + "\n")
        write_whole(project.reports / "lanes.md", lanes_markdown(found.lanes, redactor_of(project)))
        matrix = matrix_markdown(found.report.rows, project.catalog, found.comparisons)
        write_whole(project.reports / "matrix.md", matrix)
        for failure, page in found.pages.items():
            write_whole(_page(project, failure), page)
    return found


def write_pages(project: Project, store: Store, of: Collection[str]) -> None:
    """Write the pages of these failures after a command that stored no run; a large store is not read whole for them.

    Writes all reports if there are none.  Raises StoreError if a file cannot be written.
    """
    if not (project.reports / MATRIX).is_file():
        write_reports(project, store, of, output=False)
        return
    redact = redactor_of(project)
    lookup = RedactedLookup(project.catalog, project.environments, store, redact=redact, output=False)
    for failure in sorted(of):
        entry = project.catalog[failure]
        page = failure_markdown(_view(project, entry, lookup, _answers(AnswerStore(store.root), entry, redact)))
        with writing(f"{project.reports}: reports"):
            write_whole(_page(project, failure), page)


def _page(project: Project, failure: str) -> Path:
    return project.reports / f"{failure}.md"


def write_junit(file: Path | None, rows: Sequence[Row], project: Project) -> None:
    """Write the rows as JUnit XML, redacted, if a file is given; raises StoreError."""
    if file is None:
        return
    with writing(file):
        write_whole(file, junit_xml([redacted_row(row, redactor_of(project)) for row in rows]))
