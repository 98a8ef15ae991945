"""``repro doctor``."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from repro.catalog.records import Failure
from repro.cell import ADOPTED, make_cell
from repro.cli.catalogue import Json
from repro.diagnosis import Diagnosis, Finding, diagnose, listed
from repro.environments import probe
from repro.errors import UsageError
from repro.exits import Exit
from repro.project import Project
from repro.report.terminal import Progress, console
from repro.result import Result
from repro.session import Options, Session
from repro.stack import Stack, read_stack
from repro.store import Store

_STYLES = {
    Finding.SUFFERS: "bold red",
    Finding.LISTED: "yellow",
    Finding.NOT_SEEN: "cyan",
    Finding.UNKNOWN: "magenta",
    Finding.NOT_AFFECTED: "dim",
}


def _active_python() -> Path:
    """The interpreter of the user's active environment, which need not be ours."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if prefix := os.environ.get(variable):
            return Path(prefix) / "bin" / "python"
    return Path(sys.executable)


def _run(project: Project, python: Path, stack: Stack, failures: list[Failure], *, quiet: bool) -> dict[str, Result]:
    """Run the listed failures on an interpreter, in a store that is thrown away."""
    import tempfile  # noqa: PLC0415 - not needed for a static answer

    chosen = [failure for failure in failures if listed(failure, stack.versions)]
    cells = [make_cell(failure, f"{ADOPTED}{python}") for failure in chosen]
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(console(error=quiet), len(cells)) as progress,
    ):
        results = Session(project, Store(Path(folder)), Options(), progress).run(cells)
    return {result.cell.failure: result for result in results}


def doctor(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these failures.")] = None,
    *,
    python: Annotated[
        Path | None, typer.Option("--python", metavar="PATH", help="Interpreter [default: the active environment's].")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="requirements.txt, pip freeze, a lock or environment.yml (static)."
        ),
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="Read specifiers only; run nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Tell which documented failures an environment has.  Nothing is installed or written there.

    Exit code 1 if a failure was seen (or, with --static and --from, is listed).

    Example: repro doctor --python .venv/bin/python
    """
    if source and python:
        raise UsageError("--from and --python exclude one another")
    project = Project.here()
    failures = [project.catalog[name].failure for name in ids or project.catalog.entries]
    executable = (python or _active_python()).absolute()
    stack = read_stack(source) if source else Stack(probe(executable, "doctor").installed.distributions)
    results = {} if static or source else _run(project, executable, stack, failures, quiet=as_json)
    found = diagnose(failures, stack.versions, results, stack.open)
    if as_json:
        typer.echo(json.dumps({"format": 1, "failures": [_as_json(item) for item in found]}, indent=1))
    else:
        _print(found)
    findings = {item.finding for item in found}
    if findings & {Finding.SUFFERS, Finding.LISTED}:
        raise typer.Exit(Exit.CHANGED)
    raise typer.Exit(Exit.UNKNOWN if Finding.UNKNOWN in findings else Exit.OK)


def _as_json(item: Diagnosis) -> dict[str, object]:
    return {
        "id": item.failure.id,
        "title": item.failure.title,
        "kind": item.failure.kind,
        "finding": item.finding,
        "why": item.why,
        "cures": list(item.cures),
    }


def _print(found: list[Diagnosis]) -> None:
    out = console()
    table = Table(box=None, pad_edge=False)
    table.add_column("failure", no_wrap=True)
    table.add_column("finding", no_wrap=True)
    table.add_column("what", overflow="fold")
    order = list(_STYLES)
    for item in sorted(found, key=lambda item: order.index(item.finding)):
        affected = item.finding is not Finding.NOT_AFFECTED
        table.add_row(
            Text(item.failure.id),
            Text(item.finding, style=_STYLES[item.finding]),
            Text(f"{item.failure.title}\n{item.why}" if affected else item.why),
        )
        for cure in item.cures if item.finding in {Finding.SUFFERS, Finding.LISTED} else ():
            table.add_row("", Text("  cure", style="green"), Text(cure))
    out.print(table)
