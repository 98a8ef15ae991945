"""Options and output that ``bisect``, ``blame`` and ``sweep`` share."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.execute import session_options
from repro.cli.options import Launcher, RunOptions
from repro.launch.session import Options
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


Stage = Annotated[
    str | None,
    typer.Option("--stage", metavar="ROLE", help="Of a failure with stages: move the environment of this role alone."),
]
StageEnv = Annotated[
    list[str] | None,
    typer.Option(
        "--stage-env",
        metavar="ROLE=NAME",
        help="With --stage: the environment of another role [default: that of the matrix's first affected pair].",
    ),
]


@dataclass(frozen=True)
class SearchOptions(RunOptions):
    """How a search runs cells, and where results go."""

    lane: Annotated[Lane, typer.Option("--lane", help="Where ranks run.")] = Lane.CPU

    @property
    def session(self) -> Options:
        """The options of the sessions that run the cells."""
        return session_options(self)

    def words(self, *, fresh: bool) -> list[str]:
        """The options, without --lane, of the command that resumes a search; ``fresh`` runs stored cells again."""
        words = ["--repeat", str(self.repeat)] if self.repeat > 1 else []
        words += ["--launcher", self.launcher] if self.launcher is not Launcher.WARM else []
        words += ["--full-deadline"] if self.full_deadline else []
        words += ["--keep-warm", str(self.keep_warm)] if self.keep_warm is not None else []
        words += ["--reports", str(self.reports)] if self.reports else []
        words += ["--catalog", str(self.catalog)] if self.catalog else []
        return words + (["--fresh"] if fresh else [])


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
