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
from repro.report.lanes import LanePair, lanes_markdown, of_lanes, pairs, torches_had
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
    lanes: tuple[LanePair, ...]
    torches: frozenset[str]
    """The releases of torch of the newest runs of the CUDA lane."""


@dataclass(frozen=True)
class _Content:
    """The content of the reports that is about one failure."""

    rows: tuple[Row, ...]
    upstream: UpstreamComparison
    lanes: tuple[LanePair, ...]
    torches: frozenset[str]
    page: str | None = None


def gather(project: Project, store: Store, of: Collection[str] | None = None) -> Gathered:
    """Read the content of the reports from the store; ``of`` names the failures that need a page, None means all.

    The runs of one failure are read at a time, since those of a large store fill the memory.
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
    whole = RedactedLookup(project.catalog, project.environments, store, redact=redact, output=False)
    stored = AnswerStore(store.root)

    def content(failure: str) -> _Content:
        entry, lookup = entries[failure], whole.of(failure)
        answers = answers_of(stored, entry, redact)
        seen = list(of_lanes(lookup.store, catalog))
        lanes, torches = pairs(seen, catalog), torches_had(seen, catalog)
        if of is None or failure in of:
            view = view_of(project, entry, lookup, answers)
            return _Content(view.rows, view.upstream, lanes, torches, failure_markdown(view))
        rows = tuple(lookup.row(cell) for cell in by_failure.get(failure, []))
        return _Content(rows, compare_with_upstream(entry.failure, rows, answers), lanes, torches)

    contents = dict(zip(entries, compute_all(content, list(entries), fewest=FAILURES_FOR_PROCESSES), strict=True))
    rows = {row.cell.label: row for found in contents.values() for row in found.rows}
    runs = [name for name in catalog.entries if name in project.matrix.runs]
    lanes = sorted((pair for found in contents.values() for pair in found.lanes), key=lambda pair: pair.cell.label)
    return Gathered(
        cells=tuple(cells),
        lookup=whole,
        report=Report(rows=tuple(rows[cell.label] for cell in cells)),
        comparisons=tuple(contents[name].upstream for name in runs),
        pages={name: found.page for name, found in contents.items() if found.page is not None},
        lanes=tuple(lanes),
        torches=frozenset(torch for found in contents.values() for torch in found.torches),
    )


def answers_of(stored: AnswerStore, entry: Entry, redact: Redact) -> list[Stored]:
    """The answers of the searches for a failure, as its record stands today."""
    return [redacted(against_record(answer, entry.failure), redact) for answer in stored.of(entry.failure.id)]


def view_of(project: Project, entry: Entry, lookup: Lookup, answers: Sequence[Stored]) -> FailureView:
    """Everything known about a failure."""
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


def write_reports(project: Project, store: Store, of: Collection[str] | None = None) -> Gathered:
    """Write ``matrix.md``, ``matrix.json``, ``lanes.md`` and a page for each failure.

    ``of`` are the failures with new runs: only their pages, and missing pages, are written.  Raises StoreError if a
    file cannot be written.
    """
    if of is not None:
        of = {*of, *(name for name in project.catalog.entries if not _page(project, name).is_file())}
    found = gather(project, store, of)
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
        write_reports(project, store, of)
        return
    redact = redactor_of(project)
    lookup = RedactedLookup(project.catalog, project.environments, store, redact=redact, output=False)
    for failure in sorted(of):
        entry = project.catalog[failure]
        page = failure_markdown(view_of(project, entry, lookup, answers_of(AnswerStore(store.root), entry, redact)))
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
