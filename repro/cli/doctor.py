"""``repro doctor``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import chosen_failures, exit_with_skipped
from repro.doctor.denied import denied_releases
from repro.doctor.diagnosis import Finding, diagnose, exit_of_diagnoses
from repro.doctor.findings_table import (
    DoctorAnswer,
    examined,
    print_details,
    print_environment,
    print_examined,
)
from repro.doctor.stack.given import stack_from
from repro.doctor.stack.stack import Stack
from repro.doctor.tried import newest_tried
from repro.errors import Exit, UsageError
from repro.files import write_whole, writing
from repro.model.cell import Adopted
from repro.model.failure import Failure, Lane
from repro.report.terminal import Progress, console

if TYPE_CHECKING:
    from repro.doctor.laid_over import LaidOver
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
CodeFolder = Annotated[
    Path | None,
    typer.Option(
        "--code",
        metavar="DIR",
        help="Read the code and configuration of a project, run nothing of it, and put first what they name; "
        "alone, without versions.",
    ),
]
Sarif = Annotated[
    Path | None, typer.Option("--sarif", metavar="FILE", help="Write the alerts there as SARIF 2.1.0 too.")
]

LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="The output of a failed run (- for standard input), of torchrun, srun, Ray or a notebook: which "
        "documented failure is it? Versions come from the log, --python or --from; runs nothing.",
    ),
]


def doctor(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only these failures, with details.")
    ] = None,
    *,
    python: Python = None,
    source: FromFile = None,
    log: LogFile = None,
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
    code: CodeFolder = None,
    sarif: Sarif = None,
    details: Annotated[bool, typer.Option("--details", help="After the table, everything about each failure.")] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the documented failures that an environment has.

    Nothing is installed or written there.

    On an interpreter every failure that can run there is run; from a file the records alone decide.

    Exit code 1 if a failure was seen (with --static or --from: is listed; with --log: is recognised) or a malicious
    release is there, 3 if a finding is unknown (with --log: a failure is possible, or only its consequences are there).
    With --code a listed failure counts only if the code names it.

    Example: repro doctor --python .venv/bin/python

    Example: repro doctor --from requirements.txt --code .
    """
    project = Project.here(catalog=catalog)
    failures = chosen_failures(project, ids)
    _check_overlay(overlay, env, source)
    if log:
        if overlay or only_listed or code or sarif:
            raise UsageError("--log goes with --python and --from only: it runs nothing")
        stack = stack_from(python, source, failures)[1] if python or source else None
        raise typer.Exit(exit_with_skipped(_log(log, project, failures, stack, as_json=as_json), project, ids))
    if code and not (source or python or overlay):
        raise typer.Exit(exit_with_skipped(_code_alone(code, failures, sarif, as_json=as_json), project, ids))
    laid = _lay_over(overlay, env, python, project) if overlay else None
    where, stack = (laid.where, laid.stack) if laid else stack_from(python, source, failures)
    denied = denied_releases(project.matrix, stack)
    static = static or source is not None or bool(denied)  # a malicious release must not be imported
    tried = newest_tried(project.matrix)
    found = diagnose(failures, stack, tried=tried)
    if not static:
        chosen = [item.failure for item in found if item.runs and not (only_listed and item.finding != Finding.LISTED)]
        results, left_out = _run(project, laid or Adopted(where), chosen, lane)
        found = diagnose(failures, stack, results, left_out, tried)
    answer = examined(where, stack, found, static=static, denied=denied)
    if code:
        # Slow imports, and not for every command; so are those below.
        from repro.doctor.code.code_table import print_combined  # noqa: PLC0415
        from repro.doctor.code.combined import exit_of_combined  # noqa: PLC0415
        from repro.doctor.code.examine import examine_code  # noqa: PLC0415

        read = examine_code(code, failures)
        together = read.combined(found)
        answer = answer.model_copy(update={"code": read.answer(together)})
        if not as_json:
            print_environment(console(), where, stack, found, denied)
            print_combined(console(), read, together)
            print_details(console(), found if details or ids else ())
        exit_code = exit_of_combined(together, static=static)
    else:
        if not as_json:
            print_examined(console(), where, stack, found, details=details or bool(ids), denied=denied)
        exit_code = exit_of_diagnoses(found, static=static)
    if sarif:
        from repro.doctor.code.sarif import sarif_of, sarif_of_versions  # noqa: PLC0415

        _write_sarif(sarif, sarif_of(together, str(code)) if code else sarif_of_versions(found, where))
    if as_json:
        typer.echo(answer.model_dump_json(indent=1))
    raise typer.Exit(exit_with_skipped(Exit.CHANGED if denied else exit_code, project, ids))


def _check_overlay(overlay: Path | None, env: str | None, source: Path | None) -> None:
    if (source and overlay) or (env and not overlay):
        raise UsageError("--overlay goes with --python, and --env with --overlay")


def _run(
    project: Project, place: "Adopted | LaidOver", chosen: Sequence[Failure], lane: Lane
) -> tuple[dict[str, "Result"], dict[str, str]]:
    from repro.doctor.run_failures import cells_of, run_cells  # noqa: PLC0415

    cells, left_out = cells_of(chosen, place, lane)
    with Progress(console(error=True), len(cells)) as progress:
        results = run_cells(project, place, cells, progress)
    return results, left_out | progress.left_out


def _lay_over(overlay: Path, env: str | None, python: Path | None, project: Project) -> "LaidOver":
    from repro.doctor.laid_over import lay_over  # noqa: PLC0415

    return lay_over(overlay, env, python, project.cache)


def _log(log: Path, project: Project, failures: Sequence[Failure], stack: Stack | None, *, as_json: bool) -> Exit:
    """Say which failure a log shows; ``stack`` if the versions are known from elsewhere."""
    from repro.doctor.log.given_log import answer_log, known_of  # noqa: PLC0415
    from repro.doctor.log.log_table import print_log_answer  # noqa: PLC0415
    from repro.doctor.log.outcome import exit_of_log  # noqa: PLC0415
    from repro.report.redaction import of_this_machine  # noqa: PLC0415

    answer = answer_log(log, known_of(project, failures), of_this_machine(), stack)
    if as_json:
        typer.echo(answer.model_dump_json(indent=1))
    else:
        print_log_answer(console(), answer)
    return exit_of_log(answer)


def _code_alone(code: Path, failures: Sequence[Failure], sarif: Path | None, *, as_json: bool) -> Exit:
    """Examine code without versions."""
    from repro.doctor.code.code_table import print_combined  # noqa: PLC0415
    from repro.doctor.code.combined import exit_of_combined  # noqa: PLC0415
    from repro.doctor.code.examine import examine_code  # noqa: PLC0415
    from repro.doctor.code.sarif import sarif_of  # noqa: PLC0415

    read = examine_code(code, failures)
    together = read.combined()
    if sarif:
        _write_sarif(sarif, sarif_of(together, str(code)))
    if as_json:
        answer = DoctorAnswer(
            source=str(code), static=True, python=None, versions={}, failures=(), code=read.answer(together)
        )
        typer.echo(answer.model_dump_json(indent=1))
    else:
        print_combined(console(), read, together)
    return exit_of_combined(together, static=True)


def _write_sarif(file: Path, log: Mapping[str, Any]) -> None:
    with writing(file, UsageError):
        write_whole(file, json.dumps(log, indent=1) + "\n")
