"""Writes the reports of a project from its store."""

from dataclasses import dataclass
from pathlib import Path

from repro.cell import Cell
from repro.environments.rotting import Rots
from repro.errors import StoreError
from repro.files import write_whole
from repro.history import histories
from repro.matrix import default_cells
from repro.project import Project
from repro.report.lanes import lanes_markdown, lanes_words, pairs
from repro.report.markdown import matrix_markdown
from repro.report.overview import overview
from repro.report.page import failure_markdown
from repro.report.rows import Lookup, Report
from repro.report.site import site_files, write_site
from repro.report.view import FailureView, failure_view
from repro.search.answers import Answers
from repro.search.cells import ablation_environment
from repro.store import Store


@dataclass(frozen=True)
class Gathered:
    """What every form of the reports is written from."""

    cells: tuple[Cell, ...]
    """The default cells."""
    lookup: Lookup
    report: Report
    views: tuple[FailureView, ...]
    """Of every failure of the catalogue."""


def gather(project: Project, store: Store) -> Gathered:
    """Read from the store what the reports show."""
    cells = default_cells(project.matrix, project.catalog)
    lookup = Lookup(project.catalog, project.environments, store)
    answers = Answers(store.root)
    views = tuple(
        failure_view(
            entry,
            [cell for cell in cells if cell.failure == entry.failure.id],
            lookup,
            ablation_environment(entry.failure, project.matrix),
            answers.of(entry.failure.id),
        )
        for entry in project.catalog
    )
    return Gathered(tuple(cells), lookup, Report(rows=tuple(lookup.row(cell) for cell in cells)), views)


def write_reports(project: Project, store: Store, *, html: bool = False) -> Report:
    """Write ``matrix.md``, ``matrix.json`` and a page a failure; what was not run is shown as not run.

    With ``html`` the site as well, which reads the whole store for its history.  Raises OSError if they cannot be
    written.
    """
    found = gather(project, store)
    write_whole(project.reports / "matrix.json", found.report.model_dump_json(indent=1) + "\n")
    lanes = pairs(store, project.catalog)
    write_whole(project.reports / "lanes.md", lanes_markdown(lanes))
    standings = [view.standing for view in found.views if view.failure.id in project.matrix.runs]
    write_whole(project.reports / "matrix.md", matrix_markdown(found.report.rows, project.catalog, standings))
    for view in found.views:
        write_whole(project.reports / f"{view.failure.id}.md", failure_markdown(view))
    if html:
        known = histories(project.catalog, store)
        first = overview(found.views, found.cells, found.lookup, project.matrix, known)
        pins = {name: environment.pins for name, environment in project.matrix.environments.items()}
        rot = rotten(project.reports)
        write_site(
            project.reports, site_files(first, known, pins, project.catalog.entries, rot=rot, lanes=lanes_words(lanes))
        )
    return found.report


def rotten(reports: Path) -> Rots | None:
    """What became of the locks when they were last tried; None where they never were.  Raises StoreError."""
    file = reports / "rot.json"
    if not file.is_file():
        return None
    try:
        return Rots.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        raise StoreError(f"{file}: cannot be read; write it anew with `repro rot`") from None
