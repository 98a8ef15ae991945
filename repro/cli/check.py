"""``repro check``."""

import typer

from repro.catalog import check as checking
from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Reports
from repro.doctor.log.examples import example_faults
from repro.model.errors import RecordError
from repro.store.observations import Store
from repro.store.seen_when_fixed import stored_faults


def check(*, reports: Reports = None, catalog: Elsewhere = None) -> None:
    """Check all records, the matrix and the locks.

    Every fault is printed at once: file, line, key and remedy.

    Example: repro check
    """
    project = Project.here(reports, catalog)
    faults = checking.check(project)
    if not faults:
        store = Store(project.reports / "data")
        faults = [fault for entry in project.catalog for fault in stored_faults(entry, store)]
        faults += [fault for entry in project.catalog for fault in example_faults(entry, project.example_logs)]
    if faults:
        raise RecordError(faults)
    failures, environments = project.catalog.entries, project.matrix.environments
    typer.echo(f"{len(failures)} failures, {len(environments)} environments with locks: no fault")
