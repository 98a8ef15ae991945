"""``repro blame``."""

from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Json, Launcher, Repeat, Reports
from repro.cli.search_options import (
    ChosenLane,
    Id,
    print_answer,
    repeat_options,
    resumable,
    store_answer,
)
from repro.launch.session import Options
from repro.model.failure import Lane
from repro.report.answers import blamed_lines, effort
from repro.report.terminal import Progress, console
from repro.search.lead import exit_of_answer, lead_blame
from repro.search.start import vector_of
from repro.search.trials import Trials


def blame(
    failure_id: Id,
    *,
    start: Annotated[str, typer.Option("--from", metavar="ENV", help="Environment of one verdict.")],
    end: Annotated[str, typer.Option("--to", metavar="ENV", help="Environment of the other.")],
    lane: ChosenLane = Lane.CPU,
    repeat: Repeat = 1,
    fresh: Fresh = False,
    launcher: ChosenLauncher = Launcher.WARM,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the smallest set of version changes to blame.

    The changes are those between two environments that turn the verdict.

    Exit code 3 if it could not be decided whether some package is to blame.

    Example: repro blame transformers-36626 --from transformers-4.49.0-torch-2.6 --to transformers-4.50.0-torch-2.6
    """
    project = Project.here(reports, catalog)
    failure = project.catalog[failure_id].failure
    first, last = vector_of(project, start), vector_of(project, end)
    out = console(error=as_json)
    options = Options(repeat, None, launcher is Launcher.WARM, fresh)
    again = ["repro", "blame", failure_id, "--from", start, "--to", end, "--lane", lane]
    again += repeat_options(repeat, launcher, reports, catalog, fresh=False)
    with resumable(again), Progress(out) as steps, Trials(project, failure, options, steps, lane) as trials:
        answer = lead_blame(trials, failure, first, last, notify=lambda text: out.print(Text(text)))
    lines = [*blamed_lines(answer), f"effort      {effort(answer)}"]
    store_answer(project, answer)
    print_answer(answer, lines, out, as_json=as_json)
    raise typer.Exit(exit_of_answer(answer))
