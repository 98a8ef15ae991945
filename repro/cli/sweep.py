"""``repro sweep``."""

from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.choose_cells import parse_roles
from repro.catalog.project import Project
from repro.cli.cluster_options import ClusterOptions
from repro.cli.options import grouped
from repro.cli.search_options import (
    Base,
    Id,
    SearchOptions,
    Stage,
    StageEnv,
    print_answer,
    resumable,
    store_answer,
)
from repro.report.answers import swept_lines
from repro.report.console import console
from repro.report.terminal import Progress
from repro.search.index import fetch_files
from repro.search.lead import exit_of_answer, lead_sweep
from repro.search.question import releases_to_search
from repro.search.roles import moved_role
from repro.search.start import base_of
from repro.search.trials import Trials
from repro.store.answers import Every


@grouped
def sweep(
    failure_id: Id,
    *,
    package: Annotated[str, typer.Option("--package", metavar="NAME", help="The distribution to move.")],
    every: Annotated[
        Every, typer.Option("--every", help="minor: the last release of each minor series.")
    ] = Every.MINOR,
    since: Annotated[str | None, typer.Option("--since", metavar="V", help="First release.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="V", help="Last release.")] = None,
    latest: Annotated[bool, typer.Option("--latest/--no-latest", help="Also run the newest stack of today.")] = True,
    env: Base = None,
    stage: Stage = None,
    stage_env: StageEnv = None,
    searching: SearchOptions,
    where: ClusterOptions,
) -> None:
    """Run a failure on all releases of a package.

    The verdicts are printed as a strip, one glyph a release.

    Exit code 1 if the record's specifiers disagree somewhere, 3 if some release could not be judged.

    Example: repro sweep transformers-36626 --package transformers --every minor
    """
    slurm = where.slurm
    project = Project.here(searching.reports, searching.catalog)
    failure = project.catalog[failure_id].failure
    moved = moved_role(failure, project.matrix, stage, parse_roles(stage_env or []))
    base = base_of(project, failure, env, moved)
    releases = releases_to_search(project.matrix, failure, base, package, fetch_files)
    out = console(error=searching.as_json)
    options = searching.session
    again = ["repro", "sweep", failure_id, "--package", package, "--every", every, "--lane", searching.lane]
    again += [] if latest else ["--no-latest"]
    again += ["--env", env] if env else []
    again += ["--since", since] if since else []
    again += ["--until", until] if until else []
    again += [*moved.words, *searching.words(fresh=False), *where.words]
    with (
        resumable(again),
        Progress(out) as steps,
        Trials(project, failure, options, steps, searching.lane, moved=moved, slurm=slurm) as trials,
    ):
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
            moved=moved,
        )
    store_answer(project, answer)
    print_answer(answer, swept_lines(answer), out, as_json=searching.as_json)
    raise typer.Exit(exit_of_answer(answer))
