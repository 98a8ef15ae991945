"""Writes the site of a project beside its reports."""

from pathlib import Path

from repro.catalog.project import Project
from repro.environments.rot import Rots
from repro.files import writing
from repro.model.errors import StoreError
from repro.report.lanes import format_lanes
from repro.report.private import redacted, redacted_history, redactor_of
from repro.report.site.answer_box import AnswerBox
from repro.report.site.overview import overview
from repro.report.site.pages import site_files, write_site
from repro.report.write import Gathered, stored_watch
from repro.store.observations import Store
from repro.verdict.history import histories


def publish(project: Project, store: Store, found: Gathered, box: AnswerBox | None = None) -> None:
    """Write the site from what was gathered for every failure and the history of the whole store.

    ``box`` answers to texts on the first page.

    Raises StoreError if it cannot be written.
    """
    redact = redactor_of(project)
    known = {label: redacted_history(history, redact) for label, history in histories(project.catalog, store).items()}
    first = overview(found.views, found.cells, found.lookup, project.matrix, known)
    pins = {name: environment.pins for name, environment in project.matrix.environments.items()}
    watched = stored_watch(project.reports)
    content = site_files(
        first,
        known,
        pins,
        project.catalog.entries,
        rot=rotten(project.reports),
        lanes=format_lanes(found.lanes),
        watched=redacted(watched, redact) if watched else None,
        floats=bool(project.matrix.floating),
        box=box,
    )
    with writing(f"{project.reports}: the site"):
        write_site(project.reports, content)


def rotten(reports: Path) -> Rots | None:
    """The stored result of `repro rot`, or None if it never ran.  Raises StoreError."""
    file = reports / "rot.json"
    if not file.is_file():
        return None
    try:
        return Rots.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        raise StoreError(f"{file}: cannot be read; write it anew with `repro rot`") from None
