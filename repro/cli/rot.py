"""``repro rot``."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.envs import Names
from repro.cli.options import Elsewhere, Json, Reports
from repro.environments.rot import Rots, try_lock
from repro.errors import Exit, StoreError, unknown
from repro.files import write_whole


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

    The result is stored beside the reports (rot.json); it is no verdict.  Exit code 3 if some lock is rotten.

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
        told = try_lock(name, known[name].python, project.environments.lock(name), dry=dry)
        found.append(told)
        reason = f": {told.reason}" if told.reason else ""
        typer.echo(f"[{number}/{len(chosen)}] {told.state:<8} {name}{reason}", err=as_json)
    made = Rots(date=datetime.now(UTC).isoformat(timespec="seconds"), dry=dry, locks=tuple(found))
    file = project.reports / "rot.json"
    try:
        write_whole(file, made.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error.strerror}") from None
    rotten = sum(item.state == "rotten" for item in found)
    if as_json:
        typer.echo(made.model_dump_json(indent=1))
    else:
        typer.echo(f"{len(found) - rotten} of {len(found)} locks install; {rotten} do not")
    raise typer.Exit(Exit.UNKNOWN if rotten else Exit.OK)
