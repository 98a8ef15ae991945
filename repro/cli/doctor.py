"""``repro doctor``."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.doctor.diagnosis import Finding, diagnose, exit_of_diagnoses
from repro.doctor.findings_table import examined, print_examined
from repro.doctor.stack.given import notes_of, stack_from
from repro.launch.session import Options, Session
from repro.model.cell import Adopted, Cell, make_cell
from repro.model.failure import Failure, Lane
from repro.report.terminal import Progress, console
from repro.store.observations import Store
from repro.verdict.result import Result

Python = Annotated[
    Path | None,
    typer.Option(
        "--python",
        metavar="PATH",
        help="An interpreter, a name on PATH, or the folder of an environment or project "
        "[default: the active environment's].",
    ),
]
FromFile = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="A text that states versions (- for standard input): requirements, pip freeze or list, a lock, "
        "environment.yml, conda list, pyproject.toml, a Dockerfile, or what transformers env and the like print; "
        "runs nothing.",
    ),
]


class _Noting(Progress):
    """Progress that remembers why a run was left out."""

    def __init__(self, total: int) -> None:
        super().__init__(console(error=True), total)
        self.left_out: dict[str, str] = {}

    def skipped(self, cell: Cell, reason: str) -> None:
        self.left_out[cell.failure] = reason
        super().skipped(cell, reason)


def _run(project: Project, python: Path, failures: list[Failure]) -> tuple[dict[str, Result], dict[str, str]]:
    """Run failures on an interpreter, in a store that is thrown away: results, and why there is none.

    Progress goes to standard error.
    """
    runnable = [failure for failure in failures if Lane.CPU in failure.needs.lanes]
    left_out = {failure.id: "it needs a GPU" for failure in failures if failure not in runnable}
    cells = [make_cell(failure, Adopted(str(python))) for failure in runnable]
    if not cells:
        return {}, left_out
    with tempfile.TemporaryDirectory() as folder, _Noting(len(cells)) as progress:
        results = Session(project, Store(Path(folder)), Options(), progress).run(cells)
    return {result.cell.failure: result for result in results}, left_out | progress.left_out


def doctor(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only these failures, with details.")
    ] = None,
    *,
    python: Python = None,
    source: FromFile = None,
    static: Annotated[bool, typer.Option("--static", help="Read specifiers only; run nothing.")] = False,
    details: Annotated[bool, typer.Option("--details", help="After the table, everything about each failure.")] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the documented failures that an environment has.

    Nothing is installed or written there.

    Exit code 1 if a failure was seen (with --static or --from: is listed), 3 if one could not be told.

    Example: repro doctor --python .venv/bin/python
    """
    project = Project.here(catalog=catalog)
    failures = [project.catalog[name].failure for name in ids or project.catalog.entries]
    where, stack = stack_from(python, source, failures)
    static = static or source is not None
    found = diagnose(failures, stack)
    if not static:
        chosen = [item.failure for item in found if item.finding is Finding.LISTED and item.runs]
        results, left_out = _run(project, Path(where), chosen)
        found = diagnose(failures, stack, results, left_out)
    if as_json:
        typer.echo(examined(where, stack, found, static=static).model_dump_json(indent=1))
    else:
        for note in notes_of(stack):
            console().print(Text(note, style="dim"))
        print_examined(console(), where, stack, found, details=details or bool(ids))
    raise typer.Exit(exit_of_diagnoses(found, static=static))
