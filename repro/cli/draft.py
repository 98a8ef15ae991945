"""``repro draft``."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.launch.describe import Described, describe
from repro.launch.slots import Slots
from repro.model.answers.evidence import DraftAnswer
from repro.model.cell import Cell
from repro.model.errors import EnvironmentFailure, UsageError, exit_of
from repro.model.failure import Lane
from repro.report.draft.case import Case, ShowingRun, describe_missing, find
from repro.report.draft.forms import FORMS, Form, Tracker
from repro.report.draft.own_script import case_of, is_search, read_searched
from repro.report.draft.write import Draft, compose, length, write
from repro.report.private import Redact, redactor_of


def _describer(project: Project, form: Form, redact: Redact, *, static: bool) -> Callable[[Cell], Described]:
    """Asks the environment of a cell what upstream's command prints of it: that, or why there is nothing, redacted."""

    def described(cell: Cell) -> Described:
        if static:
            return Described(form.environment[0].text, problem="not asked (--static)")
        name = cell.environment.label
        try:
            interpreter = project.environments.interpreter(name, lambda text: typer.echo(text, err=True))
            # It imports torch, so it waits for a free core like a rank.
            with Slots.here(project.cache).take(1, threading.Event()):
                found = describe(interpreter, form.environment, cell.lane)
        except (EnvironmentFailure, UsageError) as error:
            found = Described(form.environment[0].text, problem=str(error))
        problem = redact(found.problem) if found.problem else None
        return Described(found.command, redact(found.text), problem)

    return described


def draft(
    failure_id: Annotated[
        str,
        typer.Argument(
            metavar="ID|FILE",
            help="A failure's id; or, for your own script, the log of a finished `repro bisect SCRIPT`, the answer of "
            "`repro blame SCRIPT`, or a stored run (repro-runs/data/.../*.json).",
        ),
    ],
    *,
    tracker: Annotated[Tracker, typer.Option("--for", help="The tracker whose form is filled in.")],
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Environment [default: the newest that shows it].")
    ] = None,
    lane: Annotated[Lane, typer.Option("--lane", help="Where the stored run was.")] = Lane.CPU,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write [default: drafts/ID-PROJECT].")
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="Do not ask the environment; start nothing.")] = False,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Write an upstream bug report from stored runs.

    Writes one file for each field of the tracker's form, the whole body, and an address that opens the filled form.
    Nothing is posted.

    Evidence comes from the store.  Only upstream's own command that describes the environment is run there.
    Exit code 3 if it failed.  A user's own script needs no record: its log, or one run of it, is enough.

    Example: repro draft pytorch-192202 --for pytorch

    Example: repro draft repro-runs/data/searches/ID/bisect-lightning-20261125T120000Z.jsonl --for lightning
    """
    form = FORMS[tracker]
    project = Project.here(reports, catalog)
    redact = redactor_of(project)
    if is_search(failure_id):
        if env is not None or lane is not Lane.CPU:
            raise UsageError("--env and --lane go with an id: a log or a run says where it ran")
        searched = read_searched(Path(failure_id))
        around = project.deriving(searched.definitions or {})
        case = case_of(searched, project.catalog, redact, _describer(around, form, redact, static=static))
    else:
        found = find(project, failure_id, env, lane, redact)
        case = _case_of_record(project, found, _describer(project, form, redact, static=static))
    made = compose(case, form, redact)
    folder = out or Path("drafts") / f"{case.failure.id}-{tracker}"
    files = write(made, folder)
    if as_json:
        typer.echo(_answer(made, case, folder, files).model_dump_json(indent=1, by_alias=True))
    else:
        _print_draft(made, case, folder, files)
    raise typer.Exit(exit_of(unknown=bool(case.described.problem) and not static))


def _case_of_record(project: Project, found: ShowingRun, describe_cell: Callable[[Cell], Described]) -> Case:
    cell = found.result.cell
    entry = project.catalog[cell.failure]
    return Case(
        entry=entry,
        script=entry.script.read_text(encoding="utf-8"),
        view=found.view,
        result=found.result,
        environment=project.environments.environment(cell.environment.label),
        described=describe_cell(cell),
        missing=describe_missing(found),
        roles={role: project.environments.environment(held.label) for role, held in cell.roles.items()},
    )


def _print_draft(made: Draft, case: Case, folder: Path, files: list[Path]) -> None:
    typer.echo(f"{folder}: {len(files)} files, the body has {length(made.body)} characters")
    typer.echo(f"shown on {case.result.cell.environment.label}: {case.result.judgement.evidence}")
    for note in made.notes:
        typer.echo(f"- {note}")


def _answer(made: Draft, case: Case, folder: Path, files: list[Path]) -> DraftAnswer:
    return DraftAnswer(
        failure=case.failure.id,
        tracker=made.form.project,
        environment=case.result.cell.environment.label,
        folder=str(folder),
        files=tuple(file.name for file in files),
        characters=length(made.body),
        address=made.address,
        address_fields=tuple(made.in_address),
        notes=tuple(made.notes),
    )
