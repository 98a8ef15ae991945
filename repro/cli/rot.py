"""``repro rot``."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.envs import Names
from repro.cli.options import Elsewhere, Json, Reports
from repro.environments.rot import Rots, try_lock
from repro.files import write_whole, writing
from repro.model.errors import NoPythonError, exit_of, unknown


def rot(
    names: Names = None,
    *,
    dry: Annotated[bool, typer.Option("--dry-run", help="Resolve only; download and install nothing.")] = False,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the locks that no longer install.

    Each lock is installed into a folder that is removed afterwards.

    The result is stored in the reports folder (rot.json); it is not a verdict.  Exit code 3 if a lock does not install.

    Example: repro rot --dry-run
    """
    project = Project.here(reports, catalog)
    known = project.matrix.environments
    for name in names or []:
        if name not in known:
            raise unknown("environment", name, known)
    chosen = names or list(known)
    found = []
    for number, name in enumerate(chosen, 1):
        try:
            tried = try_lock(name, known[name].python, project.environments.lock(name), project.matrix, dry=dry)
        except NoPythonError as error:
            typer.echo(f"[{number}/{len(chosen)}] skipped  {name}: {error}", err=as_json)
            continue
        found.append(tried)
        reason = f": {tried.reason}" if tried.reason else ""
        typer.echo(f"[{number}/{len(chosen)}] {tried.state:<8} {name}{reason}", err=as_json)
    made = Rots(date=datetime.now(UTC).isoformat(timespec="seconds"), dry=dry, locks=tuple(found))
    file = project.reports / "rot.json"
    with writing(file):
        write_whole(file, made.model_dump_json(indent=1) + "\n")
    rotten = sum(item.state == "rotten" for item in found)
    if as_json:
        typer.echo(made.model_dump_json(indent=1))
    else:
        typer.echo(f"{len(found) - rotten} of {len(found)} locks install; {rotten} do not")
    raise typer.Exit(exit_of(unknown=bool(rotten)))
