"""``repro claims``."""

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.execute import execute
from repro.cli.options import Ids, RunOptions, grouped
from repro.cli.skipped import chosen_failures, exit_with_skipped
from repro.model.answers.evidence import ClaimAnswer, ClaimsAnswer, EvidenceAnswer
from repro.report.console import console
from repro.verdict import claims as claims_


@grouped
def claims(ids: Ids = None, *, how: RunOptions) -> None:
    """Test the claims that bug reports make.

    Each claim is confirmed, refuted, partly right or untestable.

    Exit code 1 if a finding is not the published one, 3 if one could not be decided.

    Example: repro claims lightning-19267
    """
    project = Project.here(how.reports, how.catalog)
    failures = chosen_failures(project, ids)
    cells = [cell for failure in failures for cell in claims_.cells_of(failure)]
    out = console(error=how.as_json)
    # Findings are published, so each needs a run through torchrun too.
    results = {result.cell.label: result for result in execute(project, cells, how, out, confirm=True)}
    examined = {failure.id: claims_.examine(failure, results) for failure in failures}
    if how.as_json:
        typer.echo(_answer(examined).model_dump_json(indent=1))
    else:
        for name, found in examined.items():
            _print_claims(out, name, found)
    code = claims_.exit_code_of(item for found in examined.values() for item in found)
    raise typer.Exit(exit_with_skipped(code, project, ids))


def _answer(examined: dict[str, list[claims_.ExaminedClaim]]) -> ClaimsAnswer:
    return ClaimsAnswer(failures={name: tuple(map(_claim, found)) for name, found in examined.items()})


def _claim(item: claims_.ExaminedClaim) -> ClaimAnswer:
    return ClaimAnswer(
        id=item.claim.id,
        kind=item.claim.kind,
        statement=item.claim.statement,
        published=item.claim.verdict,
        finding=item.finding,
        evidence=tuple(
            EvidenceAnswer(cell=weighed.cell, holds=weighed.holds, why=weighed.why) for weighed in item.weighed
        ),
    )


def _print_claims(out: Console, name: str, examined: list[claims_.ExaminedClaim]) -> None:
    out.print(Text(f"\n{name}", style="bold"))
    for item in examined:
        finding = item.finding or "undecided"
        differs = "" if item.as_published is not False else f"  (published: {item.claim.verdict})"
        out.print(Text(f"  {finding:<11} {item.claim.id} ({item.claim.kind}): {item.claim.statement.strip()}{differs}"))
        for weighed in item.weighed:
            if weighed.holds is not True:
                out.print(Text(f"              {weighed.cell.label}: {weighed.why}", style="dim"))
