"""``repro doctor``."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import chosen_failures, exit_with_skipped
from repro.doctor.denied import denied_releases
from repro.doctor.diagnosis import Finding, diagnose, exit_of_diagnoses
from repro.doctor.findings_table import examined, print_examined
from repro.doctor.laid_over import LaidOver, lay_over
from repro.doctor.stack.given import stack_from
from repro.doctor.tried import newest_tried
from repro.errors import Exit, UsageError
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


def _run(
    project: Project, place: Adopted | LaidOver, failures: list[Failure], lane: Lane
) -> tuple[dict[str, Result], dict[str, str]]:
    """Run failures on an interpreter, in a store that is thrown away: results, and why there is none.

    Progress goes to standard error.
    """
    from repro.launch.session import Options, Session  # noqa: PLC0415 - slow, and not for --static and --from

    runnable = [failure for failure in failures if lane in failure.needs.lanes]
    needs = "it needs a GPU: --lane cuda" if lane is Lane.CPU else f"it does not run in lane {lane}"
    left_out = {failure.id: needs for failure in failures if failure not in runnable}
    environment = place.environment if isinstance(place, LaidOver) else place
    cells = [make_cell(failure, environment, lane=lane) for failure in runnable]
    if not cells:
        return {}, left_out
    with tempfile.TemporaryDirectory() as folder, _Noting(len(cells)) as progress:
        session = Session(project, Store(Path(folder)), Options(), progress)
        if isinstance(place, LaidOver):
            session.overlaid = lambda _: place.interpreter
        results = session.run(cells)
    return {result.cell.failure: result for result in results}, left_out | progress.left_out


def doctor(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only these failures, with details.")
    ] = None,
    *,
    python: Python = None,
    source: FromFile = None,
    static: Annotated[bool, typer.Option("--static", help="Judge by the records alone; run nothing.")] = False,
    only_listed: Annotated[
        bool,
        typer.Option(
            "--only-listed",
            help="Run only the failures that the records list for these versions [default: all that can run there].",
        ),
    ] = False,
    lane: Annotated[Lane, typer.Option("--lane", help="Where ranks run.")] = Lane.CPU,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="DIR",
            help="Examine an environment of this pack over --python [default: the interpreter that runs this].",
        ),
    ] = None,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Which environment of the pack, if it holds several.")
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="After the table, everything about each failure.")] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the documented failures that an environment has.

    Nothing is installed or written there.

    On an interpreter every failure that can run there is run; from a file the records alone decide.

    Exit code 1 if a failure was seen (with --static or --from: is listed) or a malicious release is there,
    3 if a finding is unknown.

    Example: repro doctor --python .venv/bin/python
    """
    project = Project.here(catalog=catalog)
    failures = chosen_failures(project, ids)
    if (source and overlay) or (env and not overlay):
        raise UsageError("--overlay goes with --python, and --env with --overlay")
    laid = lay_over(overlay, env, python, project.cache) if overlay else None
    where, stack = (laid.where, laid.stack) if laid else stack_from(python, source, failures)
    denied = denied_releases(project.matrix, stack)
    static = static or source is not None or bool(denied)  # what is malicious is not imported
    tried = newest_tried(project.matrix)
    found = diagnose(failures, stack, tried=tried)
    if not static:
        chosen = [item.failure for item in found if item.runs and not (only_listed and item.finding != Finding.LISTED)]
        results, left_out = _run(project, laid or Adopted(where), chosen, lane)
        found = diagnose(failures, stack, results, left_out, tried)
    if as_json:
        typer.echo(examined(where, stack, found, static=static, denied=denied).model_dump_json(indent=1))
    else:
        print_examined(console(), where, stack, found, details=details or bool(ids), denied=denied)
    code = Exit.CHANGED if denied else exit_of_diagnoses(found, static=static)
    raise typer.Exit(exit_with_skipped(code, project, ids))
