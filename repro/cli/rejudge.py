"""``repro rejudge``."""

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.cli.skipped import print_skipped
from repro.cli.store import _store
from repro.model.answers.upkeep import RejudgeAnswer, RejudgedObservation
from repro.model.clean import clean_line
from repro.model.errors import exit_of
from repro.report.write import write_reports
from repro.store.rejudge import rejudge as rejudge_store


def rejudge(*, reports: Reports = None, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """Judge all stored runs again by the current rules.

    Prints which verdicts changed, and writes the reports.  Nothing is run.

    Exit code 1 if some verdict is no longer the reported one.

    Example: repro rejudge
    """
    project = Project.here(reports, catalog)
    store = _store(project)
    print_skipped(project.catalog.skipped)
    found = rejudge_store(store, project.catalog)
    write_reports(project, store)
    if as_json:
        changed = tuple(
            RejudgedObservation(
                id=item.what, before=item.before, after=item.after.verdict.value, reason=item.after.reason
            )
            for item in found.changed
        )
        answer = RejudgeAnswer(judged=found.judged, changed=changed, searches=tuple(found.answers))
        typer.echo(answer.model_dump_json(indent=1))
    else:
        for item in found.changed:
            typer.echo(clean_line(f"{item.what}: {item.before} → {item.after.verdict}: {item.after.reason}"))
        for name in found.answers:
            typer.echo(f"{name}: its evidence changed; ask again")
        typer.echo(
            f"{found.judged} judged, {len(found.changed)} changed, {found.unrecorded} for the first time; nothing run"
        )
    raise typer.Exit(exit_of(changed=bool(found.changed or found.answers)))
