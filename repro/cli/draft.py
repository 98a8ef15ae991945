"""``repro draft``."""

import json
import threading
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.errors import EnvironmentFailure, exit_of
from repro.launch.describe import Described, describe
from repro.launch.slots import Slots, rank_limit
from repro.model.failure import Lane
from repro.report.draft.case import Case, ShowingRun, describe_missing, find
from repro.report.draft.forms import FORMS, Form, Tracker
from repro.report.draft.write import Draft, compose, length, write
from repro.report.private import redactor_of


def _described(project: Project, found: ShowingRun, form: Form, *, static: bool) -> Described:
    """The environment's own words; the reason where it has none."""
    if static:
        return Described(form.environment[0].text, problem="not asked (--static)")
    name = found.result.cell.environment.label
    try:
        interpreter = project.environments.interpreter(name, lambda text: typer.echo(text, err=True))
        # It imports torch: that takes its turn at the cores like a rank.
        with Slots(project.cache / "slots", rank_limit()).take(1, threading.Event()):
            return describe(interpreter, form.environment, found.result.cell.lane)
    except EnvironmentFailure as error:
        return Described(form.environment[0].text, problem=str(error))


def draft(
    failure_id: Annotated[str, typer.Argument(metavar="ID", help="A failure's id, as `repro list` shows it.")],
    *,
    tracker: Annotated[Tracker, typer.Option("--for", help="Whose form to fill.")],
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

    Writes one file a form field, the whole body and a prefilled address.  Nothing is posted.

    Nothing is posted.  Evidence is read from the store; only the environment is asked, by upstream's own command.
    Exit code 3 if it did not answer.

    Example: repro draft pytorch-192202 --for pytorch
    """
    project = Project.here(reports, catalog)
    redact, form = redactor_of(project), FORMS[tracker]
    found = find(project, failure_id, env, lane, redact)
    described = _described(project, found, form, static=static)
    entry = project.catalog[failure_id]
    case = Case(
        entry=entry,
        script=entry.script.read_text(encoding="utf-8"),
        view=found.view,
        result=found.result,
        environment=project.environments.environment(found.result.cell.environment.label),
        described=Described(
            described.command, redact(described.text), redact(described.problem) if described.problem else None
        ),
        missing=describe_missing(found),
    )
    made = compose(case, form, redact)
    folder = out or Path("drafts") / f"{failure_id}-{tracker}"
    files = write(made, folder)
    _tell(made, case, folder, files, as_json=as_json)
    raise typer.Exit(exit_of(unknown=bool(described.problem) and not static))


def _tell(made: Draft, case: Case, folder: Path, files: list[Path], *, as_json: bool) -> None:
    if as_json:
        content = {
            "format": 1,
            "failure": case.failure.id,
            "for": made.form.project,
            "environment": case.result.cell.environment.label,
            "folder": str(folder),
            "files": [file.name for file in files],
            "characters": length(made.body),
            "address": made.address,
            "address_fields": list(made.in_address),
            "notes": list(made.notes),
        }
        typer.echo(json.dumps(content, indent=1))
        return
    typer.echo(f"{folder}: {len(files)} files, the body has {length(made.body)} characters")
    typer.echo(f"shown on {case.result.cell.environment.label}: {case.result.judgement.evidence}")
    for note in made.notes:
        typer.echo(f"- {note}")
