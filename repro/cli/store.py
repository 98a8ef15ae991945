"""``repro store``."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json, Reports
from repro.model.answers.upkeep import (
    ListedObservation,
    MergeAnswer,
    ObservationsAnswer,
    PruneAnswer,
    VerifyAnswer,
)
from repro.model.clean import clean, clean_line
from repro.model.errors import StoreError, exit_of, unknown
from repro.model.observation import Observation
from repro.report.console import console
from repro.report.format import VERDICT_GLYPHS
from repro.report.rows import used_by_reports
from repro.report.write import write_reports
from repro.store import merge as merging
from repro.store import upkeep
from repro.store.observations import Store, read_observation
from repro.verdict.judge import judge

app = typer.Typer(
    add_completion=False,
    help="List, show, verify, merge and prune stored observations.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _store(project: Project) -> Store:
    return Store(project.reports / "data")


@app.command("list")
def list_observations(
    failure_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only of this failure.")] = None,
    *,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """List the stored observations, the oldest first, with the verdict that the rule of today gives.

    Example: repro store list transformers-36626
    """
    project = Project.here(reports, catalog)
    if failure_id is not None:
        failure_id = project.catalog[failure_id].failure.id
    held = [found for found in _store(project) if failure_id in {None, found.cell.failure}]
    held.sort(key=lambda found: (found.started, found.id))
    rows = [(found, _verdict(project, found)) for found in held]
    if as_json:
        listed = [
            ListedObservation(
                id=found.id,
                cell=found.cell,
                started=found.started,
                seconds=found.seconds,
                launcher=found.launcher,
                verdict=verdict,
            )
            for found, verdict in rows
        ]
        typer.echo(ObservationsAnswer(observations=tuple(listed)).model_dump_json(indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "verdict", "launcher", "s", "cell"):
        table.add_column(heading, overflow="fold")
    for found, verdict in rows:
        words = f"{VERDICT_GLYPHS.get(verdict, '')} {verdict}"
        texts = (found.id, words, found.launcher, f"{found.seconds:.1f}", found.cell.label)
        table.add_row(*(Text(clean_line(text)) for text in texts))
    out = console()
    out.print(table)
    counts = Counter(verdict for _, verdict in rows)
    out.print(f"{len(rows)} observations: {', '.join(f'{n} {verdict}' for verdict, n in sorted(counts.items()))}")


def _verdict(project: Project, observation: Observation) -> str:
    entry = project.catalog.get(observation.cell.failure)
    return judge(entry.failure, observation).verdict.value if entry else "of no known failure"


@app.command("show")
def show(
    observation_id: Annotated[str, typer.Argument(metavar="OBSERVATION", help="An id, or how it begins.")],
    *,
    reports: Reports = None,
    catalog: Elsewhere = None,
) -> None:
    """Show one stored observation as it is, in JSON.

    Example: repro store show 1f0c9a
    """
    store = _store(Project.here(reports, catalog))
    names = {file.stem: file for file in store.files()}
    found = [name for name in names if name.startswith(observation_id)]
    if not found:
        raise unknown("observation", observation_id, names)
    if len(found) > 1:
        raise StoreError(f"{observation_id} begins {len(found)} ids: {', '.join(sorted(found)[:5])}")
    typer.echo(read_observation(names[found[0]]).model_dump_json(indent=1, exclude_defaults=True))


@app.command("verify")
def verify(*, reports: Reports = None, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """Check every stored file: readable, of a known format, in its place, its id made from its recipe.

    Exit code 3 if something is wrong.

    Example: repro store verify
    """
    count, problems = upkeep.verify(_store(Project.here(reports, catalog)))
    if as_json:
        typer.echo(VerifyAnswer(observations=count, problems=tuple(problems)).model_dump_json(indent=1))
    else:
        for problem in problems:
            typer.echo(clean(problem))
        typer.echo(f"{count} observations, {len(problems)} problems")
    raise typer.Exit(exit_of(unknown=bool(problems)))


@app.command("merge")
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Reports folders, or their data folders.")],
    *,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Bring the observations of other stores in, and write the reports; a second time changes nothing.

    All are verified first: a damaged one changes nothing and is exit code 3.

    Example: repro store merge shards/*
    """
    project = Project.here(reports, catalog)
    others = [Store(folder / "data" if (folder / "data").is_dir() else folder) for folder in folders]
    found = merging.merge_stores(_store(project), others)
    write_reports(project, _store(project))
    if as_json:
        answer = MergeAnswer(added=found.added, known=found.known, answers=found.answers)
        typer.echo(answer.model_dump_json(indent=1))
        return
    typer.echo(f"{found.added} observations added, {found.known} known before, {found.answers} answers")


@app.command("upgrade")
def upgrade(*, reports: Reports = None, catalog: Elsewhere = None) -> None:
    """Write observations of an older format again in today's, with nothing lost; all formats stay readable.

    Example: repro store upgrade
    """
    store = _store(Project.here(reports, catalog))
    typer.echo(f"{store.upgrade()} of {sum(1 for _ in store.files())} observations written again")


@app.command("prune")
def prune(
    *,
    keep: Annotated[int, typer.Option("--keep", min=1, help="Newest runs of each recipe to keep.")] = 1,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Remove old runs: the newest of each recipe stays, and so does all that a report or a search rests on.

    Example: repro store prune --keep 3 --dry-run
    """
    project = Project.here(reports, catalog)
    gone = upkeep.prune(_store(project), used_by_reports(project.reports), keep=keep, dry=dry)
    if as_json:
        typer.echo(PruneAnswer(dry_run=dry, removed=tuple(found.id for found in gone)).model_dump_json(indent=1))
        return
    for found in gone:
        typer.echo(clean_line(f"{found.id}  {found.cell.label}"))
    typer.echo(f"{len(gone)} observations {'would be removed' if dry else 'removed'}")
