"""``repro run``."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.choose_cells import cells_everywhere, choose_cells, of_shard
from repro.catalog.default_cells import NotApplicable
from repro.catalog.project import Project
from repro.cli.execute import execute
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Ids, Json, Junit, Launcher, Repeat, Reports
from repro.environments.interpreter import Interpreter
from repro.environments.pack.manifest import Pack
from repro.environments.pack.overlay import lay, read_pack
from repro.errors import Exit, UsageError
from repro.launch.session import Options
from repro.model.cell import ADOPTED, OVERLAID
from repro.model.failure import Lane
from repro.report.rows import Report, row_of
from repro.report.terminal import console, table
from repro.report.write import write_junit
from repro.verdict.status import exit_code


def _factors(settings: list[str]) -> dict[str, str]:
    factors = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: FACTOR=VALUE is expected")
        factors[name] = value
    return factors


def _print_left_out(out: Console, left_out: list[NotApplicable]) -> None:
    """One line a failure and reason: ``skipped: lightning-19492 on torch-2.2, torch-2.6: needs lightning…``."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for item in left_out:
        grouped.setdefault((item.failure, item.reason), []).append(item.environment)
    for (failure, reason), environments in grouped.items():
        out.print(Text(f"skipped: {failure} on {', '.join(environments)}: {reason}", style="dim"))


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
    """Run failures, print verdicts, write the reports.

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
    # The whole matrix is what is published: each of its verdicts rests on a run through torchrun too.
    options = Options(repeat, timeout, launcher is Launcher.WARM, fresh, confirm=not ids)
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
