"""Writes the reports of a project from its store."""

from repro.files import write_whole
from repro.matrix.cells import default_cells
from repro.project import Project
from repro.report.markdown import matrix_markdown
from repro.report.rows import Report, stored_rows
from repro.store import Store


def write_reports(project: Project, store: Store) -> Report:
    """Write ``matrix.md`` and ``matrix.json``; what was not run is shown as not run.

    Raises OSError if they cannot be written.
    """
    cells = default_cells(project.matrix, project.catalog)
    report = Report(rows=stored_rows(cells, project.catalog, project.environments, store))
    write_whole(project.reports / "matrix.json", report.model_dump_json(indent=1) + "\n")
    write_whole(project.reports / "matrix.md", matrix_markdown(report.rows, project.catalog))
    return report
