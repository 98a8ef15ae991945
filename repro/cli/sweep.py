"""``repro sweep``."""

from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Json, Launcher, Repeat, Reports
from repro.cli.search_options import (
    Base,
    ChosenLane,
    Id,
    print_answer,
    repeat_options,
    resumable,
    store_answer,
)
from repro.launch.session import Options
from repro.model.failure import Lane
from repro.report.answers import swept_lines
from repro.report.terminal import Progress, console
from repro.search.index import fetch_files
from repro.search.lead import exit_of_answer, lead_sweep
from repro.search.question import releases_to_search
from repro.search.start import base_of
from repro.search.trials import Trials
from repro.store.answers import Every


def sweep(
    failure_id: Id,
    *,
    package: Annotated[str, typer.Option("--package", metavar="NAME", help="The distribution to move.")],
    every: Annotated[
        Every, typer.Option("--every", help="minor: the last release of each minor series.")
    ] = Every.MINOR,
    since: Annotated[str | None, typer.Option("--since", metavar="V", help="First release.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="V", help="Last release.")] = None,
    latest: Annotated[bool, typer.Option("--latest/--no-latest", help="Also the newest stack of today.")] = True,
    env: Base = None,
    lane: ChosenLane = Lane.CPU,
    repeat: Repeat = 1,
    fresh: Fresh = False,
    launcher: ChosenLauncher = Launcher.WARM,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Run a failure on all releases of a package.

    The verdicts are printed as a strip, one glyph a release.

    Exit code 1 if the record's specifiers disagree somewhere, 3 if some release could not be judged.

    Example: repro sweep transformers-36626 --package transformers --every minor
    """
    project = Project.here(reports, catalog)
    failure = project.catalog[failure_id].failure
    base = base_of(project, failure, env)
    releases = releases_to_search(project.matrix, failure, base, package, fetch_files)
    out = console(error=as_json)
    options = Options(repeat, None, launcher is Launcher.WARM, fresh)
    again = ["repro", "sweep", failure_id, "--package", package, "--every", every, "--lane", lane]
    again += [] if latest else ["--no-latest"]
    again += ["--env", env] if env else []
    again += ["--since", since] if since else []
    again += ["--until", until] if until else []
    again += repeat_options(repeat, launcher, reports, catalog, fresh=False)
    with resumable(again), Progress(out) as steps, Trials(project, failure, options, steps, lane) as trials:
        answer = lead_sweep(
            trials,
            failure,
            base,
            releases,
            every=every,
            notify=lambda text: out.print(Text(text)),
            since=since,
            until=until,
            latest=latest,
        )
    store_answer(project, answer)
    print_answer(answer, swept_lines(answer), out, as_json=as_json)
    raise typer.Exit(exit_of_answer(answer))
