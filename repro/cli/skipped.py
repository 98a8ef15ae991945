"""What a command for all failures leaves out: records that are not valid, and those with open questions."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from repro.catalog.project import Project
from repro.model.errors import Exit

if TYPE_CHECKING:
    from repro.model.failure import Failure


def chosen_failures(project: Project, ids: Sequence[str] | None) -> "list[Failure]":
    """The failures of these ids; without ids all finished ones, and a line on each of the others.

    Raises UsageError for an unknown id, RecordError for one whose record is not valid.
    """
    if ids:
        return [project.catalog[name].failure for name in ids]
    print_skipped(project.catalog.skipped)
    return [entry.failure for entry in project.catalog]


def print_skipped(lines: Iterable[str]) -> None:
    """Print one line on standard error for each failure that is left out."""
    for line in lines:
        typer.echo(line, err=True)


def exit_with_skipped(code: Exit, project: Project, ids: Sequence[str] | None) -> Exit:
    """The exit code of a command that gives verdicts: unknown, not OK, if a record could not be read."""
    return Exit.UNKNOWN if code is Exit.OK and not ids and project.catalog.broken else code
