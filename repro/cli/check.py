"""``repro check``."""

import typer

from repro.catalog import check as checking
from repro.catalog.project import Project
from repro.cli.options import Elsewhere
from repro.errors import RecordError


def check(*, catalog: Elsewhere = None) -> None:
    """Check all records, the matrix and the locks.

    Every fault is printed at once: file, line, key and remedy.

    Example: repro check
    """
    project = Project.here(catalog=catalog)
    faults = checking.check(project)
    if faults:
        raise RecordError(faults)
    failures, environments = project.catalog.entries, project.matrix.environments
    typer.echo(f"{len(failures)} failures, {len(environments)} environments with locks: no fault")
