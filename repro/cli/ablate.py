"""``repro ablate``."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.catalog.choose_cells import parse_roles
from repro.catalog.project import Project
from repro.cli.execute import execute
from repro.cli.options import RunOptions, grouped
from repro.model.answers.evidence import AblationAnswer, FactorAnswer
from repro.model.errors import UsageError, exit_of, unknown
from repro.model.failure import Failure
from repro.report.console import console
from repro.report.format import VERDICT_GLYPHS
from repro.search.ablation import Ablation, ablation_cells, ablation_environment, analyse, factors_of, rows


@grouped
def ablate(
    failure_id: Annotated[str, typer.Argument(metavar="ID", help="A failure's id.")],
    *,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Environment [default: the first affected one].")
    ] = None,
    stage_env: Annotated[
        list[str] | None,
        typer.Option("--stage-env", metavar="ROLE=NAME", help="Environment of one role of a failure with stages."),
    ] = None,
    how: RunOptions,
) -> None:
    """Find which conditions a failure needs.

    Each factor is flipped alone, then all pairs are tried.

    Example: repro ablate lightning-19267
    """
    project = Project.here(how.reports, how.catalog)
    failure = project.catalog[failure_id].failure
    name = env or ablation_environment(failure, project.matrix)
    if name is None:
        raise UsageError(f"matrix.yaml runs {failure_id} on no affected environment; name one with --env")
    if name not in project.matrix.environments:
        raise unknown("environment", name, project.matrix.environments)
    out = console(error=how.as_json)
    roles = parse_roles(stage_env or [])
    for other in roles.values():
        if other not in project.matrix.environments:
            raise unknown("environment", other, project.matrix.environments)
    cells = ablation_cells(failure, name, roles)
    results = {result.cell.label: result for result in execute(project, cells, how, out)}
    factors = factors_of(failure)
    outcomes = [
        (row, results[cell.label].verdict)
        for row, cell in zip(rows(factors), cells, strict=True)
        if cell.label in results
    ]
    reading = analyse(factors, outcomes)
    if how.as_json:
        typer.echo(_answer(failure, name, reading).model_dump_json(indent=1))
    else:
        _print_ablation(out, reading)
    raise typer.Exit(exit_of(unknown=bool(reading.undecided)))


def _answer(failure: Failure, environment: str, reading: Ablation) -> AblationAnswer:
    return AblationAnswer(
        failure=failure.id,
        environment=environment,
        factors=tuple(
            FactorAnswer(
                name=influence.factor.name,
                default=influence.factor.default,
                alone=influence.alone,
                necessary=influence.necessary,
                irrelevant=influence.irrelevant,
            )
            for influence in reading.influences
        ),
        smallest=reading.smallest,
        undecided=reading.undecided,
    )


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
        out.print(f"{reading.undecided} rows could not be judged")
