"""``repro claims`` and ``repro ablate``."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro import claims as claims_
from repro.catalog.records import Failure
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Ids, Json, Launcher, Repeat, Reports
from repro.cli.running import execute
from repro.errors import UsageError, unknown
from repro.exits import Exit
from repro.project import Project
from repro.report.terminal import console
from repro.report.words import VERDICT_GLYPHS
from repro.search.ablation import Ablation, analyse, factors_of, rows
from repro.search.cells import ablation_cells, ablation_environment
from repro.session import Options


def claims(
    ids: Ids = None,
    *,
    repeat: Repeat = 1,
    fresh: Fresh = False,
    launcher: ChosenLauncher = Launcher.WARM,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Test the claims of the source documents: each is confirmed, refuted, partly right or untestable.

    Exit code 1 if a finding is not the published one, 3 if one could not be decided.

    Example: repro claims lightning-19267
    """
    project = Project.here(reports, catalog)
    failures = [project.catalog[name].failure for name in ids or project.catalog.entries]
    cells = [cell for failure in failures for cell in claims_.cells_of(failure)]
    out = console(error=as_json)
    results = {
        result.cell.label: result
        for result in execute(project, cells, Options(repeat, None, launcher is Launcher.WARM, fresh), out)
    }
    examined = {failure.id: claims_.examine(failure, results) for failure in failures}
    if as_json:
        typer.echo(json.dumps({"format": 1, "failures": _as_json(examined)}, indent=1))
    else:
        for name, found in examined.items():
            _print_claims(out, name, found)
    told = [item.as_published for found in examined.values() for item in found]
    raise typer.Exit(Exit.CHANGED if False in told else Exit.UNKNOWN if None in told else Exit.OK)


def _as_json(examined: dict[str, list[claims_.Examined]]) -> dict[str, list[dict[str, object]]]:
    return {
        name: [
            {
                "id": item.claim.id,
                "kind": item.claim.kind,
                "statement": item.claim.statement,
                "published": item.claim.verdict,
                "finding": item.finding,
                "evidence": [
                    {"cell": weighed.cell.model_dump(mode="json"), "holds": weighed.holds, "why": weighed.why}
                    for weighed in item.weighed
                ],
            }
            for item in found
        ]
        for name, found in examined.items()
    }


def _print_claims(out: Console, name: str, examined: list[claims_.Examined]) -> None:
    out.print(Text(f"\n{name}", style="bold"))
    for item in examined:
        finding = item.finding or "undecided"
        differs = "" if item.as_published is not False else f"  (published: {item.claim.verdict})"
        out.print(Text(f"  {finding:<11} {item.claim.id} ({item.claim.kind}): {item.claim.statement.strip()}{differs}"))
        for weighed in item.weighed:
            if weighed.holds is not True:
                out.print(Text(f"              {weighed.cell.label}: {weighed.why}", style="dim"))


def ablate(
    failure_id: Annotated[str, typer.Argument(metavar="ID", help="A failure's id.")],
    *,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Environment [default: the first affected one].")
    ] = None,
    repeat: Repeat = 1,
    fresh: Fresh = False,
    launcher: ChosenLauncher = Launcher.WARM,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Take a failure apart: flip each factor alone, then all pairs; say which conditions are necessary.

    Example: repro ablate lightning-19267
    """
    project = Project.here(reports, catalog)
    failure = project.catalog[failure_id].failure
    name = env or ablation_environment(failure, project.matrix)
    if name is None:
        raise UsageError(f"matrix.yaml runs {failure_id} on no affected environment; name one with --env")
    if name not in project.matrix.environments:
        raise unknown("environment", name, project.matrix.environments)
    out = console(error=as_json)
    cells = ablation_cells(failure, name)
    results = {
        result.cell.label: result
        for result in execute(project, cells, Options(repeat, None, launcher is Launcher.WARM, fresh), out)
    }
    factors = factors_of(failure)
    outcomes = [
        (row, results[cell.label].verdict)
        for row, cell in zip(rows(factors), cells, strict=True)
        if cell.label in results
    ]
    reading = analyse(factors, outcomes)
    if as_json:
        typer.echo(json.dumps(_ablation_json(failure, name, reading), indent=1))
    else:
        _print_ablation(out, reading)
    raise typer.Exit(Exit.UNKNOWN if reading.undecided else Exit.OK)


def _ablation_json(failure: Failure, environment: str, reading: Ablation) -> dict[str, object]:
    return {
        "format": 1,
        "failure": failure.id,
        "environment": environment,
        "factors": [
            {
                "name": influence.factor.name,
                "default": influence.factor.default,
                "alone": influence.alone,
                "necessary": influence.necessary,
                "irrelevant": influence.irrelevant,
            }
            for influence in reading.influences
        ],
        "smallest": list(reading.smallest),
        "undecided": reading.undecided,
    }


def _print_ablation(out: Console, reading: Ablation) -> None:
    table = Table(pad_edge=False)
    for heading in ("factor", "default", "flipped alone", "reading"):
        table.add_column(heading, overflow="fold")
    for influence in reading.influences:
        alone = "; ".join(f"{value}: {VERDICT_GLYPHS[verdict]} {verdict}" for value, verdict in influence.alone.items())
        said = "necessary" if influence.necessary else "irrelevant" if influence.irrelevant else "matters"
        table.add_row(*(Text(text) for text in (influence.factor.name, influence.factor.default, alone, said)))
    out.print(table)
    for found in reading.smallest:
        words = " and ".join(f"{name}={value}" for name, value in found.items()) or "none: every row fails"
        out.print(f"smallest failing set: {words}")
    if reading.undecided:
        out.print(f"{reading.undecided} rows could not be told")
