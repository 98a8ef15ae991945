"""``repro envs``."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.environments.build import disk_use
from repro.environments.pythons import base_python
from repro.environments.verify import find_damage, installed_torch
from repro.launch.spares.place import end_spares
from repro.model.answers.upkeep import EnvironmentAnswer, EnvironmentsAnswer, SparesAnswer
from repro.model.clean import clean_line
from repro.model.errors import EnvironmentFailure, NoPythonError, SourceError, UsageError, unknown
from repro.report.console import console

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
    """List the environments of matrix.yaml: built or not, where torch came from, and their disk use.

    Example: repro envs list --json
    """
    project = Project.here(catalog=catalog)
    counted: set[tuple[int, int]] = set()
    listed = [_listed(project, name, counted) for name in project.matrix.environments]
    answer = EnvironmentsAnswer(environments=tuple(listed), bytes_together=sum(item.added_bytes for item in listed))
    if as_json:
        typer.echo(answer.model_dump_json(indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("environment", "python", "pins", "state", "torch from"):
        table.add_column(heading, overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("MB not shared", justify="right")
    for item in listed:
        pins = " ".join(f"{pin} {version}" for pin, version in {**item.pins, **item.sources}.items())
        built = not item.state.startswith("missing")
        sizes = (f"{item.bytes / 1e6:.0f}", f"{item.own_bytes / 1e6:.0f}") if built else ("—", "—")
        source = item.torch_source or ("not recorded" if built else "—")
        torch = f"{item.torch} from {source}" if item.torch else source
        table.add_row(*(Text(clean_line(text)) for text in (item.name, item.python, pins, item.state, torch, *sizes)))
    out = console()
    out.print(table)
    count = sum(not item.state.startswith("missing") for item in listed)
    out.print(f"{count} built: {answer.bytes_together / 1e9:.1f} GB together, shared files counted once")


def _listed(project: Project, name: str, counted: set[tuple[int, int]]) -> EnvironmentAnswer:
    environment = project.matrix.environments[name]
    place = project.environments.place(name)
    problem = find_damage(place, project.environments.lock(name)) if place.exists else None
    use = disk_use(place, counted) if place.exists else None
    record = place.record
    return EnvironmentAnswer(
        name=name,
        python=environment.python,
        pins=environment.pins,
        sources=environment.public_sources,
        state=_missing(environment.python) if not place.exists else f"broken: {problem}" if problem else "built",
        torch=record.torch or installed_torch(place.site),
        torch_source=record.source,
        bytes=use.total if use else 0,
        own_bytes=use.own if use else 0,
        added_bytes=use.added if use else 0,
    )


def _missing(python: str) -> str:
    """The state of an environment that is not built: with the reason if it cannot be built here."""
    try:
        base_python(python)
    except NoPythonError as error:
        return f"missing: {error}"
    return "missing"


@app.command("build")
def build(names: Names = None, *, catalog: Elsewhere = None) -> None:
    """Build environments from their locks; those that are built and undamaged are left as they are.

    Example: repro envs build newest
    """
    project = Project.here(catalog=catalog)
    failures: list[str] = []
    kinds: set[type[EnvironmentFailure]] = set()
    for name in _chosen(project, names):
        try:
            project.environments.interpreter(name, typer.echo)
            typer.echo(f"{name}: ready")
        except NoPythonError as error:
            if names:
                failures.append(f"{name}: {error}")
            else:  # all were asked for, and this machine can build the others
                typer.echo(f"{name}: not built: {error}")
        except EnvironmentFailure as error:
            failures.append(f"{name}: {error}")
            kinds.add(SourceError if isinstance(error, SourceError) else EnvironmentFailure)
    if failures:
        (kind,) = kinds if len(kinds) == 1 else (EnvironmentFailure,)
        raise kind("\n".join(failures))


@app.command("stop")
def stop(*, as_json: Json = False) -> None:
    """End the spare warm processes that --keep-warm or REPRO_KEEP_WARM has kept.

    Those that a command has taken end with it.

    Example: repro envs stop
    """
    ended = end_spares(Project.here().cache)
    if as_json:
        typer.echo(SparesAnswer(ended=tuple(ended)).model_dump_json(indent=1))
        return
    for spare in ended:
        typer.echo(f"ended: {clean_line(spare)}")
    if not ended:
        typer.echo("no spares")


@app.command("remove")
def remove(
    names: Names = None,
    *,
    derived: Annotated[bool, typer.Option("--derived", help="Remove only environments that searches built.")] = False,
    catalog: Elsewhere = None,
) -> None:
    """Remove built environments; their locks remain, and the next run builds them again.

    Example: repro envs remove newest
    """
    project = Project.here(catalog=catalog)
    if derived:
        if names:
            raise UsageError("--derived takes no names: environments of searches have none")
        typer.echo(f"{project.environments.remove_derived()} environments of searches removed")
        return
    for name in _chosen(project, names):
        count = project.environments.remove(name)
        typer.echo(f"{name}: {'removed' if count else 'was not built'}")
