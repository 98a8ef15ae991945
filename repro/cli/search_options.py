"""Options and output that ``bisect``, ``blame`` and ``sweep`` share."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Launcher
from repro.model.failure import Lane
from repro.report.write import write_reports
from repro.store.answers import AnswerStore, Stored
from repro.store.observations import Store

Id = Annotated[str, typer.Argument(metavar="ID", help="A failure's id.")]


Package = Annotated[str | None, typer.Option("--package", metavar="NAME", help="The distribution to move.")]


Base = Annotated[
    str | None,
    typer.Option("--env", metavar="NAME", help="Environment to start from [default: the first affected one]."),
]


ChosenLane = Annotated[Lane, typer.Option("--lane", help="Where ranks run.")]


@contextmanager
def resumable(words: list[str]) -> Iterator[None]:
    """If the search is interrupted, print the command that resumes it."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"repro: resume with: {shlex.join(words)}\n")
        raise


def store_answer(project: Project, answer: Stored) -> None:
    """Store an answer and write the reports."""
    AnswerStore(project.reports / "data").put(answer)
    write_reports(project, Store(project.reports / "data"), of={answer.failure})


def print_answer(answer: Stored, lines: list[str], out: Console, *, as_json: bool) -> None:
    """Print an answer."""
    if as_json:
        typer.echo(answer.model_dump_json(indent=1))
    else:
        for line in lines:
            out.print(Text(line))


def repeat_options(
    repeat: int, launcher: Launcher, reports: Path | None, catalog: Path | None, *, fresh: bool
) -> list[str]:
    """The options of the command that resumes a search; stored runs are reused unless ``fresh``."""
    words = ["--repeat", str(repeat)] if repeat > 1 else []
    words += ["--launcher", launcher] if launcher is not Launcher.WARM else []
    words += ["--reports", str(reports)] if reports else []
    words += ["--catalog", str(catalog)] if catalog else []
    return words + (["--fresh"] if fresh else [])
