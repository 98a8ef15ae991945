"""``repro bisect``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.catalog import RECORD
from repro.catalog.project import Project
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Json, Launcher, Repeat, Reports
from repro.cli.search_options import (
    Base,
    ChosenLane,
    Id,
    Package,
    SearchProgress,
    print_answer,
    repeat_options,
    resumable,
    store_answer,
)
from repro.errors import UsageError
from repro.launch.session import Options
from repro.model.failure import Failure, Lane
from repro.report.answers import bisected_lines
from repro.report.terminal import console
from repro.search.environments import kept_versions
from repro.search.index import fetch_files
from repro.search.lead import Replay, amend_record, base_of, exit_of_answer, lead_bisection
from repro.search.log import SUFFIX, Question, SearchLog
from repro.search.question import Ends, describe_skipped, question_of_days, question_of_releases, releases_to_search
from repro.search.trials import Trials
from repro.store.answers import AnswerStore


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
    """Find the release or day that broke or fixed a failure.

    Exit code 1 if the record's specifiers disagree, 3 if the answer is a range.

    Example: repro bisect transformers-36626 --package transformers --bad 4.44.0 --good 4.51.0
    """
    project = Project.here(reports, catalog)
    entry = project.catalog[failure_id]
    out = console(error=as_json)
    if resume or replay:
        journal = SearchLog.read(resume or replay or Path())
        if journal.question.failure != failure_id:
            raise UsageError(f"{journal.file} is a search of {journal.question.failure}")
    else:
        asked = Ends(good, bad, find_fix)
        question = _question(
            project, entry.failure, asked, package=package, by_date=by_date, env=env, keep=keep or [], lane=lane
        )
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        folder = AnswerStore(project.reports / "data").folder(failure_id)
        journal = SearchLog.begin(folder / f"bisect-{question.package or 'days'}-{stamp}{SUFFIX}", question)
    _print_question(out, journal)
    again = ["repro", "bisect", failure_id, "--resume", str(journal.file)]
    again += ["--write"] if write else []
    again += repeat_options(repeat, launcher, reports, catalog, fresh=fresh)

    def notify(text: str) -> None:
        out.print(Text(text))

    if replay:
        answer = lead_bisection(Replay(), entry.failure, journal, notify)
    else:
        options = Options(repeat, None, launcher is Launcher.WARM, fresh)
        with (
            resumable(again),
            SearchProgress(out, journal.question.range.most_runs) as steps,
            Trials(project, entry.failure, options, steps, journal.question.lane) as trials,
        ):
            answer = lead_bisection(trials, entry.failure, journal, notify)
    if not replay:
        store_answer(project, answer)
    print_answer(answer, bisected_lines(answer), out, as_json=as_json)
    if write:
        out.print(Text(amend_record(entry.folder / RECORD, entry.failure, answer)))
    raise typer.Exit(exit_of_answer(answer))


def _question(
    project: Project,
    failure: Failure,
    asked: Ends,
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
        failure, base, releases_to_search(project.matrix, failure, base, package, fetch_files), asked, lane
    )


def _print_question(out: Console, journal: SearchLog) -> None:
    question = journal.question
    last = len(question.points) - 1
    wanted = "the first good after the last bad" if question.find_fix else "the first bad after the last good"
    out.print(
        Text(f"{last + 1} points from {question.describe(0)} to {question.describe(last)} in {question.base}: {wanted}")
    )
    for line in describe_skipped(question.left_out):
        out.print(Text(line, style="dim"))
    known = f", {len(journal.tried)} known from the log" if journal.tried else ""
    out.print(Text(f"at most {question.range.most_runs} runs if all can be told{known}", style="dim"))
