"""``repro claims``."""

import json

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.execute import execute
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Ids, Json, Launcher, Repeat, Reports
from repro.errors import Exit
from repro.launch.session import Options
from repro.report.terminal import console
from repro.verdict import claims as claims_


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
    """Test the claims that bug reports make.

    Each claim is confirmed, refuted, partly right or untestable.

    Exit code 1 if a finding is not the published one, 3 if one could not be decided.

    Example: repro claims lightning-19267
    """
    project = Project.here(reports, catalog)
    failures = [project.catalog[name].failure for name in ids or project.catalog.entries]
    cells = [cell for failure in failures for cell in claims_.cells_of(failure)]
    out = console(error=as_json)
    # Findings are published: each rests on a run through torchrun too.
    options = Options(repeat, None, launcher is Launcher.WARM, fresh, confirm=True)
    results = {result.cell.label: result for result in execute(project, cells, options, out)}
    examined = {failure.id: claims_.examine(failure, results) for failure in failures}
    if as_json:
        typer.echo(json.dumps({"format": 1, "failures": _as_json(examined)}, indent=1))
    else:
        for name, found in examined.items():
            _print_claims(out, name, found)
    told = [item.as_published for found in examined.values() for item in found]
    raise typer.Exit(Exit.CHANGED if False in told else Exit.UNKNOWN if None in told else Exit.OK)


def _as_json(examined: dict[str, list[claims_.ExaminedClaim]]) -> dict[str, list[dict[str, object]]]:
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


def _print_claims(out: Console, name: str, examined: list[claims_.ExaminedClaim]) -> None:
    out.print(Text(f"\n{name}", style="bold"))
    for item in examined:
        finding = item.finding or "undecided"
        differs = "" if item.as_published is not False else f"  (published: {item.claim.verdict})"
        out.print(Text(f"  {finding:<11} {item.claim.id} ({item.claim.kind}): {item.claim.statement.strip()}{differs}"))
        for weighed in item.weighed:
            if weighed.holds is not True:
                out.print(Text(f"              {weighed.cell.label}: {weighed.why}", style="dim"))
