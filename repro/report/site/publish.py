"""Writes the site of a project beside its reports."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from repro.catalog.project import Project
from repro.environments.rot import Rots
from repro.files import write_whole, writing
from repro.model.errors import StoreError
from repro.report.lanes import format_lanes
from repro.report.private import RedactedLookup, redacted, redacted_history, redactor_of
from repro.report.site.answer_box import AnswerBox
from repro.report.site.failure_files import SiteForm, failure_files
from repro.report.site.overview import FailureSummary, heat_row, overview, summary
from repro.report.site.pages import is_large, site_files
from repro.report.site.render import SHARED
from repro.report.write import Gathered, answers_of, stored_watch, view_of
from repro.store.answers import AnswerStore
from repro.store.observations import Store
from repro.store.parallel import FAILURES_FOR_PROCESSES, compute_all
from repro.verdict.history import histories

LOGS = "logs"
OF_LARGE = ("map-*.html", "upstream.html", "ask.html", *SHARED)
"""The files that only the site of a large catalogue has."""


def publish(project: Project, store: Store, found: Gathered, box: AnswerBox | None = None) -> None:
    """Write the site from what was gathered for every failure and the history of the whole store.

    ``box`` answers to texts on the first page.  The runs of one failure are read at a time.

    Raises StoreError if it cannot be written.
    """
    redact = redactor_of(project)
    watched = stored_watch(project.reports)
    rot = rotten(project.reports)
    large = is_large(len(project.catalog.entries), len(found.cells))
    pins = {name: environment.pins for name, environment in project.matrix.environments.items()}
    with writing(f"{project.reports}: the site"):
        failures = summaries(project, store, found, large=large)
        content = site_files(
            overview(failures, project.matrix),
            pins,
            large=large,
            rot=rot,
            lanes=format_lanes(found.lanes),
            watched=redacted(watched, redact) if watched else None,
            floats=bool(project.matrix.floating),
            box=box,
        )
        written = _write(project.reports, content)
        _remove(project.reports, project.catalog.entries, written)


def summaries(project: Project, store: Store, found: Gathered, *, large: bool) -> list[FailureSummary]:
    """Write the pages of all failures, and return what the other pages need of each."""
    redact = redactor_of(project)
    whole = RedactedLookup(project.catalog, project.environments, store, redact=redact, output=not large)
    stored = AnswerStore(store.root)

    def write(failure: str) -> FailureSummary:
        entry, lookup = project.catalog[failure], whole.of(failure)
        known = {
            label: redacted_history(history, redact)
            for label, history in histories(project.catalog, lookup.store).items()
        }
        view = view_of(project, entry, lookup, answers_of(stored, entry, redact))
        row = heat_row(entry.failure, [row.cell for row in view.rows], lookup, known, found.torches)
        shown = SiteForm(large=large, printed=lambda result: lookup.with_output(result) if large else result)
        written = _write(project.reports, failure_files(view, row, known, entry, shown))
        for old in (project.reports / LOGS / failure).glob("*.txt"):
            if old not in written:
                old.unlink()
        return summary(view, row, known)

    return compute_all(write, list(project.catalog.entries), fewest=FAILURES_FOR_PROCESSES)


def _write(reports: Path, content: Iterator[tuple[str, str]]) -> set[Path]:
    """Write those files that changed; returns all.  Raises OSError."""
    written = set()
    for name, text in content:
        file = reports / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            write_whole(file, text)
        written.add(file)
    return written


def _remove(reports: Path, failures: Iterable[str], written: set[Path]) -> None:
    """Remove pages of another form of the site, and logs of failures that are gone; raises OSError."""
    known = set(failures)
    old = [file for file in (reports / LOGS).glob("*/*.txt") if file.parent.name not in known]
    old += [file for pattern in OF_LARGE for file in reports.glob(pattern)]
    for file in old:
        if file not in written:
            file.unlink()


def rotten(reports: Path) -> Rots | None:
    """The stored result of `repro rot`, or None if it never ran.  Raises StoreError."""
    file = reports / "rot.json"
    if not file.is_file():
        return None
    try:
        return Rots.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        raise StoreError(f"{file}: cannot be read; write it anew with `repro rot`") from None
