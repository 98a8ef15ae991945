"""Writes the reports of a project from its store."""

from repro.files import write_whole
from repro.matrix import default_cells
from repro.project import Project
from repro.report.markdown import matrix_markdown
from repro.report.page import failure_markdown
from repro.report.rows import Lookup, Report
from repro.report.view import failure_view
from repro.search.answers import Answers
from repro.search.cells import ablation_environment
from repro.store import Store


def write_reports(project: Project, store: Store) -> Report:
    """Write ``matrix.md``, ``matrix.json`` and a page a failure; what was not run is shown as not run.

    Raises OSError if they cannot be written.
    """
    cells = default_cells(project.matrix, project.catalog)
    lookup = Lookup(project.catalog, project.environments, store)
    answers = Answers(store.root)
    report = Report(rows=tuple(lookup.row(cell) for cell in cells))
    write_whole(project.reports / "matrix.json", report.model_dump_json(indent=1) + "\n")
    views = [
        failure_view(
            entry,
            [cell for cell in cells if cell.failure == entry.failure.id],
            lookup,
            ablation_environment(entry.failure, project.matrix),
            answers.of(entry.failure.id),
        )
        for entry in project.catalog
    ]
    standings = [view.standing for view in views if view.failure.id in project.matrix.runs]
    write_whole(project.reports / "matrix.md", matrix_markdown(report.rows, project.catalog, standings))
    for view in views:
        write_whole(project.reports / f"{view.failure.id}.md", failure_markdown(view))
    return report
