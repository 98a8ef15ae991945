"""``repro envs``."""

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.environments.build import broken, disk_use
from repro.errors import EnvironmentFailure, UsageError, unknown
from repro.report.terminal import console

app = typer.Typer(
    add_completion=False,
    help="List, build and remove the environments under test.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Environments; all where none is given.")]


def _chosen(project: Project, names: list[str] | None) -> list[str]:
    for name in names or []:
        if name not in project.matrix.environments:
            raise unknown("environment", name, project.matrix.environments)
    return names or list(project.matrix.environments)


@app.callback()
def default(context: typer.Context, *, catalog: Elsewhere = None) -> None:
    """List, build and remove the environments under test.

    Example: repro envs
    """
    if context.invoked_subcommand is None:
        list_environments(catalog=catalog)


@app.command("list")
def list_environments(*, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """List the environments of matrix.yaml: built or not, and their disk use.

    Example: repro envs list --json
    """
    project = Project.here(catalog=catalog)
    rows = []
    counted: set[tuple[int, int]] = set()
    for name, environment in project.matrix.environments.items():
        place = project.environments.place(name)
        problem = broken(place, project.environments.lock(name)) if place.exists else None
        state = "missing" if not place.exists else f"broken: {problem}" if problem else "built"
        use = disk_use(place, counted) if place.exists else None
        rows.append((name, environment, state, use))
    together = sum(use.added for *_, use in rows if use)
    if as_json:
        listed = [
            {
                "name": name,
                "python": environment.python,
                "pins": environment.pins,
                "state": state,
                "bytes": use.total if use else 0,
                "own_bytes": use.own if use else 0,
            }
            for name, environment, state, use in rows
        ]
        typer.echo(json.dumps({"format": 1, "environments": listed, "bytes_together": together}, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("environment", "python", "pins", "state"):
        table.add_column(heading, overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("MB not shared", justify="right")
    for name, environment, state, use in rows:
        pins = " ".join(f"{pin} {version}" for pin, version in environment.pins.items())
        sizes = (f"{use.total / 1e6:.0f}", f"{use.own / 1e6:.0f}") if use else ("—", "—")
        table.add_row(*(Text(text) for text in (name, environment.python, pins, state, *sizes)))
    out = console()
    out.print(table)
    out.print(f"{sum(use is not None for *_, use in rows)} built: {together / 1e9:.1f} GB together, shared files once")


@app.command("build")
def build(names: Names = None, *, catalog: Elsewhere = None) -> None:
    """Build environments from their locks; those that are built and whole are left alone.

    Example: repro envs build newest
    """
    project = Project.here(catalog=catalog)
    failures: list[str] = []
    for name in _chosen(project, names):
        try:
            project.environments.interpreter(name, typer.echo)
            typer.echo(f"{name}: ready")
        except EnvironmentFailure as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise EnvironmentFailure("\n".join(failures))


@app.command("remove")
def remove(
    names: Names = None,
    *,
    derived: Annotated[bool, typer.Option("--derived", help="Only those that searches had built.")] = False,
    catalog: Elsewhere = None,
) -> None:
    """Remove built environments; their locks stay, and the next run builds them again.

    Example: repro envs remove newest
    """
    project = Project.here(catalog=catalog)
    if derived:
        if names:
            raise UsageError("--derived takes no names: what searches build has none here")
        typer.echo(f"{project.environments.remove_derived()} environments of searches removed")
        return
    for name in _chosen(project, names):
        count = project.environments.remove(name)
        typer.echo(f"{name}: {'removed' if count else 'was not built'}")
