"""``repro doctor``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import chosen_failures, exit_with_skipped, print_skipped
from repro.doctor.denied import denied_releases
from repro.doctor.diagnosis import Diagnosis, Finding, diagnose, exit_of_diagnoses
from repro.doctor.findings_table import print_details, print_environment, print_examined
from repro.doctor.known_outlines import outlines_of, releases_of
from repro.doctor.stack.given import stack_from
from repro.doctor.stack.stack import Stack
from repro.files import write_whole, writing
from repro.model.cpu_or_cuda import Lane
from repro.model.errors import Exit, UsageError
from repro.report.console import console

if TYPE_CHECKING:
    from repro.doctor.laid_over import LaidOver
    from repro.doctor.log.log_answer import LogAnswer
    from repro.model.cell import Adopted
    from repro.model.failure import Failure
    from repro.model.outline import Outlined
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
        help="Read a project's code and configuration (nothing of it is run) and list first the failures that it "
        "names; without --python or --from, versions are not considered.",
    ),
]
Sarif = Annotated[
    Path | None, typer.Option("--sarif", metavar="FILE", help="Also write the alerts to FILE as SARIF 2.1.0.")
]

LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="The output of a failed run (- for standard input), of torchrun, srun, Ray or a notebook: which "
        "documented failure is it? Or a dump of NCCL's flight recorder, or a folder of them: where does each rank "
        "wait? Versions come from the log, --python or --from; "
        "runs nothing. With --code: the log, the versions, runs and the code in one answer.",
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
    details: Annotated[
        bool, typer.Option("--details", help="After the table, print everything about each failure.")
    ] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the documented failures that an environment has.

    Nothing is installed or written in the environment.

    With an interpreter, every failure that can run there is run.  With a file, the records alone decide.

    Exit code 1 if a failure was seen (with --static or --from: is listed; with --log: is recognised) or a malicious
    release is installed, 3 if a finding is unknown (with --log: a failure is possible, or the log shows only its
    consequences).
    With --code a listed failure counts only if the code names it or the log shows it.

    Example: repro doctor --python .venv/bin/python

    Example: repro doctor --from requirements.txt --code . --log train.log
    """
    project = Project.here(catalog=catalog)
    if (static or source) and not (ids or log or overlay or env or code):
        raise typer.Exit(_static(project, python, source, sarif, details=details, as_json=as_json))
    failures = chosen_failures(project, ids)
    _check_overlay(overlay, env, source)
    if log and not code and (overlay or only_listed or sarif):
        raise UsageError("--log goes with --python, --from and --code; without --code it runs nothing")
    held = None
    if log and not code:
        stack = stack_from(python, source, failures)[1] if python or source else None
        exit_code = _print_log(_read_log(log, project, failures, stack), as_json=as_json)
        raise typer.Exit(exit_with_skipped(exit_code, project, ids))
    if source or python or overlay or not code:
        laid = _lay_over(overlay, env, python, project) if overlay else None
        where, stack = (laid.where, laid.stack) if laid else stack_from(python, source, failures)
        held = _by_records(project, failures, where, stack)
        if not (static or source or held.denied):  # a malicious release must not be imported
            from repro.model.cell import Adopted  # noqa: PLC0415 - as below

            held = _by_runs(project, held, laid or Adopted(where), lane, only_listed=only_listed)
    shown = _read_log(log, project, failures, held.stack if held else None) if log else None
    if held is None and shown and shown.versions:
        stack = replace(Stack.of(shown.versions, shown.python), closed=False)
        held = _by_records(project, failures, shown.source, stack)
    exit_code = _answer(failures, held, shown, code, sarif, details=details or bool(ids), as_json=as_json)
    raise typer.Exit(exit_with_skipped(exit_code, project, ids))


def _static(
    project: Project, python: Path | None, source: Path | None, sarif: Path | None, *, details: bool, as_json: bool
) -> Exit:
    """Answer by the records and the versions alone; a record that did not change is not even loaded."""
    records = outlines_of(project)
    print_skipped(records.skipped)
    held = _by_records(project, records.outlines, *stack_from(python, source, records.outlines))
    exit_code = _answer((), held, None, None, sarif, details=details, as_json=as_json)
    return Exit.UNKNOWN if exit_code is Exit.OK and records.broken else exit_code


@dataclass(frozen=True)
class _Environment:
    """An environment, and what is said of it."""

    where: str
    stack: Stack
    denied: tuple[str, ...]
    found: Sequence[Diagnosis]
    static: bool = True
    """Whether nothing was run."""


def _by_records(project: Project, failures: "Sequence[Outlined]", where: str, stack: Stack) -> _Environment:
    releases = releases_of(project)
    found = diagnose(failures, stack, tried=releases.tried)
    return _Environment(where, stack, denied_releases(releases.denied, stack), found)


def _by_runs(
    project: Project, held: _Environment, place: "Adopted | LaidOver", lane: Lane, *, only_listed: bool
) -> _Environment:
    """The environment after runs of all that can run there."""
    runs = (item for item in held.found if item.runs and (item.finding is Finding.LISTED or not only_listed))
    results, left_out = _run(project, place, [project.catalog[item.failure.id].failure for item in runs], lane)
    failures = [item.failure for item in held.found]
    found = diagnose(failures, held.stack, results, left_out, releases_of(project).tried)
    return replace(held, found=found, static=False)


def _answer(
    failures: "Sequence[Failure]",
    held: _Environment | None,
    shown: "LogAnswer | None",
    code: Path | None,
    sarif: Path | None,
    *,
    details: bool,
    as_json: bool,
) -> Exit:
    """Print the answer, by the code too if there is any; the exit code."""
    found, where = (held.found, held.where) if held else ((), "")
    static = held is None or held.static
    read = together = None
    if code is None:
        if held and not as_json:
            print_examined(console(), where, held.stack, found, details=details, denied=held.denied)
        exit_code = exit_of_diagnoses(found, static=static)
    else:
        # Slow imports, and not for every command; so are those below.
        from repro.doctor.code.code_table import print_combined  # noqa: PLC0415
        from repro.doctor.code.combined import exit_of_combined  # noqa: PLC0415
        from repro.doctor.code.examine import examine_code  # noqa: PLC0415

        read = examine_code(code, failures, held.stack if held else None)
        together = read.combined(found if held else None, shown)
        if not as_json:
            if shown:
                _print_log(shown, as_json=False)
            if held:
                print_environment(console(), where, held.stack, found, held.denied)
            print_combined(console(), read, together)
            print_details(console(), found if details else ())
        exit_code = exit_of_combined(together, static=static)
    if sarif:
        from repro.doctor.code.sarif import sarif_of, sarif_of_versions  # noqa: PLC0415

        _write_sarif(sarif, sarif_of(together, str(code)) if together is not None else sarif_of_versions(found, where))
    if as_json:
        from repro.doctor.doctor_answer import DoctorAnswer, examined  # noqa: PLC0415

        if held:
            answer = examined(held.where, held.stack, held.found, static=held.static, denied=held.denied)
        else:
            answer = DoctorAnswer(source=str(code), static=True, python=None, versions={}, failures=())
        if read is not None and together is not None:
            answer = answer.model_copy(update={"code": read.answer(together), "log": shown})
        typer.echo(answer.model_dump_json(indent=1))
    return Exit.CHANGED if held and held.denied else exit_code


def _check_overlay(overlay: Path | None, env: str | None, source: Path | None) -> None:
    if (source and overlay) or (env and not overlay):
        raise UsageError("--overlay goes with --python, and --env with --overlay")


def _run(
    project: Project, place: "Adopted | LaidOver", chosen: "Sequence[Failure]", lane: Lane
) -> tuple[dict[str, "Result"], dict[str, str]]:
    from repro.doctor.run_failures import cells_of, run_cells  # noqa: PLC0415
    from repro.report.terminal import Progress  # noqa: PLC0415

    cells, left_out = cells_of(chosen, place, lane)
    with Progress(console(error=True), len(cells)) as progress:
        results = run_cells(project, place, cells, progress)
    return results, left_out | progress.left_out


def _lay_over(overlay: Path, env: str | None, python: Path | None, project: Project) -> "LaidOver":
    from repro.doctor.laid_over import lay_over  # noqa: PLC0415

    return lay_over(overlay, env, python, project.cache)


def _read_log(log: Path, project: Project, failures: "Sequence[Failure]", stack: Stack | None) -> "LogAnswer":
    """Which failure a log shows; ``stack`` if the versions are known from elsewhere."""
    from repro.doctor.log.given_log import answer_log, known_of  # noqa: PLC0415
    from repro.report.redaction import of_this_machine  # noqa: PLC0415

    return answer_log(log, known_of(project, failures), of_this_machine(), stack)


def _print_log(answer: "LogAnswer", *, as_json: bool) -> Exit:
    """Print the answer to a log; the exit code."""
    from repro.doctor.log.log_table import print_log_answer  # noqa: PLC0415
    from repro.doctor.log.outcome import exit_of_log  # noqa: PLC0415

    if as_json:
        typer.echo(answer.model_dump_json(indent=1))
    else:
        print_log_answer(console(), answer)
    return exit_of_log(answer)


def _write_sarif(file: Path, log: Mapping[str, Any]) -> None:
    with writing(file, UsageError):
        write_whole(file, json.dumps(log, indent=1) + "\n")
