"""``repro run``."""

import re
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.records import Lane
from repro.cell import ADOPTED, OVERLAID, Cell, is_named, make_cell
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Ids, Json, Junit, Launcher, Repeat, Reports
from repro.environments import Interpreter
from repro.errors import UsageError, unknown
from repro.exits import Exit
from repro.matrix import LeftOut, all_cells, default_cells
from repro.matrix.shards import shards
from repro.packing import Pack, lay, read_pack
from repro.project import Project
from repro.report.rows import Report, row_of
from repro.report.terminal import Progress, console, table
from repro.report.writing import write_junit, write_reports
from repro.result import Result
from repro.session import Options, Session
from repro.store import Store
from repro.verdict import exit_code


def of_shard(project: Project, cells: list[Cell], shard: str | None) -> list[Cell]:
    """The cells of one shard of the default ones, as ``2/6``; all where it is None.  Raises UsageError."""
    if shard is None:
        return cells
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard {shard}: K/N is expected, such as 2/6")
    groups = shards(default_cells(project.matrix, project.catalog), int(count))
    return [cell for cell in cells if cell in groups[int(number) - 1]] if int(number) <= len(groups) else []


def _factors(settings: list[str]) -> dict[str, str]:
    factors = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: FACTOR=VALUE is expected")
        factors[name] = value
    return factors


def choose_cells(
    project: Project,
    ids: list[str],
    *,
    environments: list[str],
    lane: Lane,
    backport: str | None,
    factors: dict[str, str],
    packed: Collection[str] | None = None,
    nodes: int = 1,
) -> list[Cell]:
    """The cells that a command line asks for: the default ones where it names nothing else.

    ``packed`` are the names of an overlay's environments: then all cells are of these.  Raises UsageError for any
    name that is not known.
    """
    catalog, matrix = project.catalog, project.matrix
    for name in environments:
        if packed is not None and name not in packed:
            raise unknown("packed environment", name, packed)
        if is_named(name) and name not in matrix.environments:
            raise unknown("environment", name, matrix.environments)
    chosen = [catalog[failure_id].failure.id for failure_id in ids] or list(matrix.runs)
    nowhere = [failure_id for failure_id in chosen if failure_id not in matrix.runs]
    if nowhere and not environments:
        raise UsageError(f"matrix.yaml runs {nowhere[0]} nowhere; name an environment with --env")
    # Who names no failure gets those that the lane can run.
    chosen = [name for name in chosen if ids or lane in catalog[name].failure.needs.lanes]
    if not environments and backport is None and not factors:
        cells = [
            make_cell(catalog[cell.failure].failure, cell.environment, lane=lane, backport=cell.backport, nodes=nodes)
            for cell in default_cells(matrix, catalog)
            if cell.failure in chosen
        ]
    else:
        cells = [
            make_cell(
                catalog[failure_id].failure, environment, lane=lane, backport=backport, factors=factors, nodes=nodes
            )
            for failure_id in chosen
            for environment in environments or matrix.runs[failure_id].environments
        ]
    if packed is None:
        return cells
    return [
        cell.model_copy(update={"environment": f"{OVERLAID}{cell.environment}"})
        for cell in cells
        if cell.environment in packed
    ]


def cells_everywhere(project: Project, ids: list[str], lane: Lane) -> tuple[list[Cell], list[LeftOut]]:
    """The failures on all environments of the matrix, and what does not apply.

    Raises UsageError for an unknown id, RecordError for a lock that does not fit.
    """
    failures = [project.catalog[failure_id].failure for failure_id in ids or project.catalog.entries]
    versions = {name: project.environments.lock(name).versions for name in project.matrix.environments}
    return all_cells(failures, versions, lane)


def _print_left_out(out: Console, left_out: list[LeftOut]) -> None:
    """One line a failure and reason: ``skipped: lightning-19492 on torch-2.2, torch-2.6: needs lightning…``."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for item in left_out:
        grouped.setdefault((item.failure, item.reason), []).append(item.environment)
    for (failure, reason), environments in grouped.items():
        out.print(Text(f"skipped: {failure} on {', '.join(environments)}: {reason}", style="dim"))


def execute(
    project: Project,
    cells: list[Cell],
    options: Options,
    out: Console,
    overlaid: Callable[[str], Interpreter] | None = None,
    *,
    run_name: str | None = None,
) -> list[Result]:
    """Run cells with live progress, store their observations and write the reports.

    Raises RecordError for a lock that does not fit, before anything is run.
    """
    for name in {cell.environment for cell in cells if is_named(cell.environment)}:
        project.environments.lock(name)
    store = Store(project.reports / "data")
    with Progress(out, len(cells)) as progress:
        session = Session(project, store, options, progress, overlaid=overlaid)
        session.id = run_name or session.id
        results = session.run(cells)
    write_reports(project, store, of={cell.failure for cell in cells})
    out.print(_counts(results))
    return results


def _counts(results: list[Result]) -> str:
    """``3 run, 21 reused``: how many runs were made and how many were found in the store."""
    reused = sum(result.reused for result in results)
    return f"{sum(result.n for result in results) - reused} run, {reused} reused"


def _laid_over(folder: Path, pack: Pack, pythons: list[Path], project: Project) -> Callable[[str], Interpreter]:
    """What lays a pack's environments over the one interpreter that was named, or over this one."""
    if len(pythons) > 1:
        raise UsageError("--overlay: one --python is expected, the interpreter that it is laid over")
    base = (pythons[0] if pythons else Path(sys.executable)).absolute()
    return lambda name: lay(folder, pack, name.removeprefix(OVERLAID), over=base, cache=project.cache, called=name)


def run(
    ids: Ids = None,
    *,
    env: Annotated[list[str] | None, typer.Option("--env", metavar="NAME", help="Run on this environment.")] = None,
    python: Annotated[
        list[Path] | None, typer.Option("--python", metavar="PATH", help="Run on an existing interpreter, as it is.")
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--all-environments", help="Run on every environment of the matrix that applies.")
    ] = False,
    backport: Annotated[bool, typer.Option("--backport", help="Apply the record's cure first.")] = False,
    backport_named: Annotated[
        str | None, typer.Option("--backport-named", metavar="NAME", help="Apply this backport first.")
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="DIR",
            help="Lay the environments of this pack over the one --python [default: the interpreter that runs this].",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="FACTOR=VALUE", help="Change a factor.")
    ] = None,
    lane: Annotated[Lane, typer.Option("--lane", help="Where ranks run.")] = Lane.CPU,
    nodes: Annotated[
        int, typer.Option("--nodes", min=1, help="Divide the ranks among so many torchrun agents on this host.")
    ] = 1,
    timeout: Annotated[
        int | None, typer.Option("--timeout", min=1, help="Seconds of wall clock a run [default: the record's].")
    ] = None,
    repeat: Repeat = 1,
    fresh: Fresh = False,
    launcher: ChosenLauncher = Launcher.WARM,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="K/N", help="Only this part of the default cells.")
    ] = None,
    run_name: Annotated[
        str | None,
        typer.Option("--run-name", metavar="NAME", help="Shards of one name count as one run [default: a new one]."),
    ] = None,
    junit: Junit = None,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Run failures on environments, print verdict and status, and write the reports.

    Example: repro run lightning-19492 --env newest --set state-dict-type=full
    """
    if everywhere and (env or python or backport or backport_named or settings or shard or overlay or nodes > 1):
        raise UsageError("--all-environments goes with ids, --lane and --repeat: it names all the rest itself")
    project = Project.here(reports, catalog)
    pack = read_pack(overlay) if overlay else None
    adopted = [] if overlay else [f"{ADOPTED}{path.absolute()}" for path in python or []]
    if run_name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,59}", run_name):
        raise UsageError(f"--run-name {run_name}: letters, digits, dots and dashes are expected, 60 at most")
    out = console(error=as_json)
    if everywhere:
        cells, left_out = cells_everywhere(project, ids or [], lane)
        _print_left_out(out, left_out)
    else:
        cells = choose_cells(
            project,
            ids or [],
            environments=[*(env or []), *adopted],
            lane=lane,
            backport=backport_named or ("cure" if backport else None),
            factors=_factors(settings or []),
            packed=pack.environments if pack else None,
            nodes=nodes,
        )
    cells = of_shard(project, cells, shard)
    overlaid = _laid_over(overlay, pack, python or [], project) if overlay and pack else None
    options = Options(repeat, timeout, launcher is Launcher.WARM, fresh)
    results = execute(project, cells, options, out, overlaid, run_name=run_name)
    rows = tuple(row_of(result, project.catalog[result.cell.failure].failure.distributions) for result in results)
    write_junit(junit, rows)
    if as_json:
        typer.echo(Report(rows=rows).model_dump_json(indent=1))
    else:
        out.print(table(rows, out.width))
    if not results:
        out.print("no cell was run: none of the failures applies")
    raise typer.Exit(exit_code([result.status for result in results]) if results else Exit.UNKNOWN)
