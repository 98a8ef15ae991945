"""``repro bisect``, ``repro blame``, ``repro sweep``."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.loading import RECORD
from repro.catalog.records import Failure, Lane
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Json, Launcher, Repeat, Reports
from repro.errors import UsageError
from repro.project import Project
from repro.report.searches import bisected_lines, blamed_lines, effort, swept_lines
from repro.report.terminal import Progress, console
from repro.report.writing import write_reports
from repro.result import Result
from repro.search.answers import Answers, Stored
from repro.search.index import fetch_files
from repro.search.journal import SUFFIX, Journal, Question
from repro.search.planning import Asked, left_out_words, question_of_days, question_of_releases, releases_of
from repro.search.timeline import Every
from repro.search.variants import kept_versions
from repro.searches import Replay, amend_record, base_of, exit_of, lead_bisection, lead_blame, lead_sweep, vector_of
from repro.session import Options
from repro.store import Store
from repro.trials import Trials

Id = Annotated[str, typer.Argument(metavar="ID", help="A failure's id.")]
Package = Annotated[str | None, typer.Option("--package", metavar="NAME", help="The distribution to move.")]
Base = Annotated[
    str | None,
    typer.Option("--env", metavar="NAME", help="Environment to start from [default: the first affected one]."),
]
ChosenLane = Annotated[Lane, typer.Option("--lane", help="Where ranks run.")]


class _Steps(Progress):
    """Progress without a line of its own for a finished cell: the search tells what it came to."""

    def finished(self, result: Result) -> None:
        with self._lock:
            self._done += 1
            self._running.pop(result.cell.label, None)


@contextmanager
def _resumable(words: list[str]) -> Iterator[None]:
    """Say how to go on where a search is broken off."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"repro: resume with: {shlex.join(words)}\n")
        raise


def _kept(project: Project, answer: Stored) -> None:
    """Store an answer and write the reports."""
    Answers(project.reports / "data").put(answer)
    write_reports(project, Store(project.reports / "data"), of={answer.failure})


def _printed(answer: Stored, lines: list[str], out: Console, *, as_json: bool) -> None:
    """Print an answer."""
    if as_json:
        typer.echo(answer.model_dump_json(indent=1))
    else:
        for line in lines:
            out.print(Text(line))


def bisect(
    failure_id: Id,
    *,
    package: Package = None,
    good: Annotated[str | None, typer.Option("--good", metavar="V", help="A release or day without it.")] = None,
    bad: Annotated[str | None, typer.Option("--bad", metavar="V", help="A release or day with it.")] = None,
    find_fix: Annotated[
        bool | None,
        typer.Option(
            "--find-fix/--find-break", help="First good after bad, or first bad after good [default: the record says]."
        ),
    ] = None,
    by_date: Annotated[bool, typer.Option("--by-date", help="Bisect the days of the whole stack.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="NAME==V", help="By date: hold a package at a version.")
    ] = None,
    env: Base = None,
    lane: ChosenLane = Lane.CPU,
    write: Annotated[bool, typer.Option("--write", help="Correct the record's affected range.")] = False,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="LOG", help="Go on from a log.")] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="LOG", help="Decide again from a log, and run nothing.")
    ] = None,
    repeat: Repeat = 1,
    fresh: Fresh = False,
    launcher: ChosenLauncher = Launcher.WARM,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find the release, or the day, at which a failure appeared or was mended.

    Exit code 1 if the record's specifiers disagree, 3 if the answer is a range.

    Example: repro bisect transformers-36626 --package transformers --bad 4.44.0 --good 4.51.0
    """
    project = Project.here(reports, catalog)
    entry = project.catalog[failure_id]
    out = console(error=as_json)
    if resume or replay:
        journal = Journal.read(resume or replay or Path())
        if journal.question.failure != failure_id:
            raise UsageError(f"{journal.file} is a search of {journal.question.failure}")
    else:
        asked = Asked(good, bad, find_fix)
        question = _question(
            project, entry.failure, asked, package=package, by_date=by_date, env=env, keep=keep or [], lane=lane
        )
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        folder = Answers(project.reports / "data").folder(failure_id)
        journal = Journal.begin(folder / f"bisect-{question.package or 'days'}-{stamp}{SUFFIX}", question)
    _print_question(out, journal)
    again = ["repro", "bisect", failure_id, "--resume", str(journal.file)]
    again += ["--write"] if write else []
    again += _options(repeat, launcher, reports, catalog, fresh=fresh)

    def tell(text: str) -> None:
        out.print(Text(text))

    if replay:
        answer = lead_bisection(Replay(), entry.failure, journal, tell)
    else:
        options = Options(repeat, None, launcher is Launcher.WARM, fresh)
        with (
            _resumable(again),
            _Steps(out, journal.question.range.most_runs) as steps,
            Trials(project, entry.failure, options, steps, journal.question.lane) as trials,
        ):
            answer = lead_bisection(trials, entry.failure, journal, tell)
    if not replay:
        _kept(project, answer)
    _printed(answer, bisected_lines(answer), out, as_json=as_json)
    if write:
        out.print(Text(amend_record(entry.folder / RECORD, entry.failure, answer)))
    raise typer.Exit(exit_of(answer))


def _question(
    project: Project,
    failure: Failure,
    asked: Asked,
    *,
    package: str | None,
    by_date: bool,
    env: str | None,
    keep: list[str],
    lane: Lane,
) -> Question:
    """The question that the options of ``repro bisect`` ask; raises UsageError where they do not fit."""
    base = base_of(project, failure, env)
    if by_date:
        if package or asked.good is None or asked.bad is None:
            raise UsageError("--by-date needs --good DAY and --bad DAY, and no --package")
        return question_of_days(failure, base, good=asked.good, bad=asked.bad, keep=kept_versions(keep), lane=lane)
    if package is None:
        raise UsageError("give --package NAME, or --by-date --good DAY --bad DAY")
    if keep:
        raise UsageError("--keep goes with --by-date: a bisection over releases keeps all other pins anyway")
    return question_of_releases(
        failure, base, releases_of(project.matrix, failure, base, package, fetch_files), asked, lane
    )


def _print_question(out: Console, journal: Journal) -> None:
    question = journal.question
    last = len(question.points) - 1
    wanted = "the first good after the last bad" if question.find_fix else "the first bad after the last good"
    out.print(
        Text(f"{last + 1} points from {question.words(0)} to {question.words(last)} in {question.base}: {wanted}")
    )
    for line in left_out_words(question.left_out):
        out.print(Text(line, style="dim"))
    known = f", {len(journal.tried)} known from the log" if journal.tried else ""
    out.print(Text(f"at most {question.range.most_runs} runs if all can be told{known}", style="dim"))


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
    """Find the smallest set of package changes between two environments that turns the verdict round.

    Exit code 3 if the part of some package could not be told.

    Example: repro blame transformers-36626 --from transformers-4.49.0-torch-2.6 --to transformers-4.50.0-torch-2.6
    """
    project = Project.here(reports, catalog)
    failure = project.catalog[failure_id].failure
    first, last = vector_of(project, start), vector_of(project, end)
    out = console(error=as_json)
    options = Options(repeat, None, launcher is Launcher.WARM, fresh)
    again = ["repro", "blame", failure_id, "--from", start, "--to", end, "--lane", lane]
    again += _options(repeat, launcher, reports, catalog, fresh=False)
    with _resumable(again), _Steps(out, 0) as steps, Trials(project, failure, options, steps, lane) as trials:
        answer = lead_blame(trials, failure, first, last, tell=lambda text: out.print(Text(text)))
    lines = [*blamed_lines(answer), f"effort      {effort(answer)}"]
    _kept(project, answer)
    _printed(answer, lines, out, as_json=as_json)
    raise typer.Exit(exit_of(answer))


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
    """Show a failure's verdicts over the releases of a package, as a strip.

    Exit code 1 if the record's specifiers disagree somewhere, 3 if some release could not be told.

    Example: repro sweep transformers-36626 --package transformers --every minor
    """
    project = Project.here(reports, catalog)
    failure = project.catalog[failure_id].failure
    base = base_of(project, failure, env)
    releases = releases_of(project.matrix, failure, base, package, fetch_files)
    out = console(error=as_json)
    options = Options(repeat, None, launcher is Launcher.WARM, fresh)
    again = ["repro", "sweep", failure_id, "--package", package, "--every", every, "--lane", lane]
    again += [] if latest else ["--no-latest"]
    again += ["--env", env] if env else []
    again += ["--since", since] if since else []
    again += ["--until", until] if until else []
    again += _options(repeat, launcher, reports, catalog, fresh=False)
    with _resumable(again), _Steps(out, 0) as steps, Trials(project, failure, options, steps, lane) as trials:
        answer = lead_sweep(
            trials,
            failure,
            base,
            releases,
            every=every,
            tell=lambda text: out.print(Text(text)),
            since=since,
            until=until,
            latest=latest,
        )
    _kept(project, answer)
    _printed(answer, swept_lines(answer), out, as_json=as_json)
    raise typer.Exit(exit_of(answer))


def _options(repeat: int, launcher: Launcher, reports: Path | None, catalog: Path | None, *, fresh: bool) -> list[str]:
    """The options of a command that goes on; runs that are stored are reused where it is asked again as a whole."""
    words = ["--repeat", str(repeat)] if repeat > 1 else []
    words += ["--launcher", launcher] if launcher is not Launcher.WARM else []
    words += ["--reports", str(reports)] if reports else []
    words += ["--catalog", str(catalog)] if catalog else []
    return words + (["--fresh"] if fresh else [])
