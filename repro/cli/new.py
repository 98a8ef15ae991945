"""``repro new``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.catalog.scaffold import Places, asked, beside_files, write, written
from repro.cli.options import Elsewhere, Json
from repro.model.answers.written_files import NewAnswer
from repro.model.errors import UsageError
from repro.search.seen import new_failure


class NewKind(StrEnum):
    """What a failure does to its user."""

    CRASH = "crash"
    SILENT = "silent"
    DATA_LOSS = "data-loss"
    HANG = "hang"
    GROWTH = "growth"
    WARNING = "warning"


class NewLauncher(StrEnum):
    """What starts the ranks."""

    TORCHRUN = "torchrun"
    ACCELERATE = "accelerate"
    PYTHON = "python"


def new(
    failure_id: Annotated[str, typer.Argument(metavar="ID", help="<project>-<issue number>, such as lightning-12345.")],
    *,
    upstream: Annotated[
        str | None, typer.Option("--upstream", metavar="URL", help="Address of the upstream issue.")
    ] = None,
    package: Annotated[
        str | None, typer.Option("--package", metavar="NAME", help="The distribution at fault [default: the project].")
    ] = None,
    kind: Annotated[NewKind | None, typer.Option("--kind", help="The effect on the user.")] = None,
    bad: Annotated[str | None, typer.Option("--bad", metavar="V", help="A release that shows it.")] = None,
    good: Annotated[str | None, typer.Option("--good", metavar="V", help="The first release with the fix.")] = None,
    stages: Annotated[
        list[str] | None,
        typer.Option(
            "--stage",
            metavar="NAME=ROLE",
            help="One of several jobs in a row, and the role whose environment it runs in; repeated.",
        ),
    ] = None,
    launchers: Annotated[
        list[NewLauncher] | None,
        typer.Option(
            "--launcher",
            help="What starts the ranks, if not torchrun: accelerate launch, or plain Python whose script spawns them; "
            "repeated, the first is the default.",
        ),
    ] = None,
    from_run: Annotated[
        Path | None,
        typer.Option(
            "--from-run", metavar="LOG", help="The log of a finished `repro bisect SCRIPT`: it answers most questions."
        ),
    ] = None,
    from_script: Annotated[
        Path | None,
        typer.Option(
            "--from-script", metavar="FILE", help="With --from-run: the reproduction [default: the script of the run]."
        ),
    ] = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Start a new failure from templates.

    Writes record, reproduction, backport, placebo, matched pytest and matrix entry, each with
    the questions to answer as comments.

    With --from-run the script, its files, the signature, the bounds, the environments and their locks come from a
    search that is finished; the questions that remain are real ones: oracle, conditions, mechanism, claims.

    Nothing is overwritten.  `repro check` names every question that is still open.

    Example: repro new lightning-12345 --upstream https://github.com/Lightning-AI/pytorch-lightning/issues/12345

    Example: repro new pytorch-12345 --kind data-loss --stage write=writer --stage read=reader

    Example: repro new accelerate-12345 --launcher accelerate

    Example: repro new lightning-12345 --launcher python --launcher torchrun

    Example: repro new lightning-12345 --from-run repro-runs/data/searches/ID/bisect-lightning-20261125T120000Z.jsonl
    """
    project = Project.here(catalog=catalog)
    places = Places(project.failures / failure_id, project.matrix_file, project.tests, project.locks)
    made = asked(
        failure_id, upstream, package, kind=kind, bad=bad, good=good, stages=stages or (), launchers=launchers or ()
    )
    if from_run:
        if package or kind or bad or good or stages or launchers:
            raise UsageError(
                "--from-run answers --package, --kind, --bad and --good, and its script is one job of torchrun"
            )
        made = new_failure(failure_id, upstream, from_run, project, from_script)
    elif from_script:
        raise UsageError("--from-script goes with --from-run")
    files, beside = written(made, project.matrix, places), beside_files(made, places)
    write(files, beside)
    files = {**files, **dict.fromkeys(beside, "")}
    if as_json:
        typer.echo(NewAnswer(id=failure_id, files=tuple(str(file) for file in files)).model_dump_json(indent=1))
        return
    for file in files:
        typer.echo(file)
    typer.echo("next: `repro check` names the questions to answer, file by file")
