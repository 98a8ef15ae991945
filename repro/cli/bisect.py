"""``repro bisect``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.catalog import RECORD, Entry
from repro.catalog.project import Project
from repro.cli.options import ChosenLauncher, Elsewhere, Fresh, Json, Launcher, Repeat, Reports
from repro.cli.search_options import (
    Base,
    ChosenLane,
    Id,
    Package,
    print_answer,
    repeat_options,
    resumable,
    store_answer,
)
from repro.errors import UsageError
from repro.launch.session import Options
from repro.model.failure import Failure, Lane
from repro.report.answers import bisected_lines
from repro.report.terminal import Progress, console
from repro.search.confirm import most_runs
from repro.search.environments import Vector, kept_versions
from repro.search.index import fetch_files
from repro.search.lead import exit_of_answer, lead_bisection
from repro.search.log import SUFFIX, Question, SearchLog
from repro.search.question import Ends, describe_skipped, question_of_days, question_of_releases, releases_to_search
from repro.search.start import base_of, digests_of, needs_direction, refuse_other, with_direction
from repro.search.trials import Trials
from repro.search.verdict_source import Replay
from repro.search.write import amend_record
from repro.store.answers import AnswerStore, Tried


def bisect(
    failure_id: Id,
    *,
    package: Package = None,
    good: Annotated[
        str | None, typer.Option("--good", metavar="V", help="A release or day without the failure.")
    ] = None,
    bad: Annotated[str | None, typer.Option("--bad", metavar="V", help="A release or day with the failure.")] = None,
    find_fix: Annotated[
        bool | None,
        typer.Option(
            "--find-fix/--find-break",
            help="First good after bad, or first bad after good [default: by the record; the newest release is run "
            "if the record does not say].",
        ),
    ] = None,
    by_date: Annotated[bool, typer.Option("--by-date", help="Bisect the days of the whole stack.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="NAME==V", help="By date: hold a package at a version.")
    ] = None,
    env: Base = None,
    lane: ChosenLane = Lane.CPU,
    write: Annotated[bool, typer.Option("--write", help="Correct the record's affected range.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="LOG", help="Go on from a log of the same script, record and environment."),
    ] = None,
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

    Both neighbours of the answer are run again through torchrun before it is stored or written.

    Exit code 1 if the record's specifiers disagree, 3 if the answer is a range.

    Example: repro bisect transformers-36626 --package transformers --bad 4.44.0 --good 4.51.0
    """
    project = Project.here(reports, catalog)
    entry = project.catalog[failure_id]
    out = console(error=as_json)
    answers = AnswerStore(project.reports / "data")
    stored = answers.of(failure_id)
    asked = Asked(Ends(good, bad, find_fix), package, by_date, env, tuple(keep or ()), lane)
    options = repeat_options(repeat, launcher, reports, catalog, fresh=fresh) + (["--write"] if write else [])

    def notify(text: str) -> None:
        out.print(Text(text))

    if replay:
        journal = _read(replay, failure_id)
        _print_question(out, journal)
        answer = lead_bisection(Replay(), entry.failure, journal, notify, stored)
    else:
        resumed = _read(resume, failure_id) if resume else None
        if resumed:
            lane = resumed.question.lane
            refuse_other(resumed.question, digests_of(project, entry, resumed.question.base, lane), str(resumed.file))
        run = Options(repeat, None, launcher is Launcher.WARM, fresh)
        with Progress(out) as steps, Trials(project, entry.failure, run, steps, lane) as trials:
            if resumed:
                journal = resumed
            else:
                with resumable(["repro", "bisect", failure_id, *asked.arguments, *options]):
                    question, facts = _ask(project, entry, asked, trials, notify)
                stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
                name = f"bisect-{question.package or 'days'}-{stamp}{SUFFIX}"
                journal = SearchLog.begin(answers.folder(failure_id) / name, question)
                for fact in facts:
                    journal.add(fact)
            _print_question(out, journal)
            with resumable(["repro", "bisect", failure_id, "--resume", str(journal.file), *options]):
                answer = lead_bisection(trials, entry.failure, journal, notify, stored)
        store_answer(project, answer)
    print_answer(answer, bisected_lines(answer), out, as_json=as_json)
    if write:
        out.print(Text(amend_record(entry.folder / RECORD, entry.failure, answer, stored)))
    raise typer.Exit(exit_of_answer(answer))


def _read(log: Path, failure_id: str) -> SearchLog:
    journal = SearchLog.read(log)
    if journal.question.failure != failure_id:
        raise UsageError(f"{journal.file} is a search of {journal.question.failure}")
    return journal


@dataclass(frozen=True)
class Asked:
    """What the options of ``repro bisect`` ask."""

    ends: Ends
    package: str | None
    by_date: bool
    env: str | None
    keep: tuple[str, ...]
    lane: Lane

    @property
    def arguments(self) -> list[str]:
        """The options as they are written on a command line."""
        words = ["--package", self.package] if self.package else []
        words += ["--by-date"] if self.by_date else []
        words += ["--good", self.ends.good] if self.ends.good else []
        words += ["--bad", self.ends.bad] if self.ends.bad else []
        if self.ends.find_fix is not None:
            words.append("--find-fix" if self.ends.find_fix else "--find-break")
        words += ["--env", self.env] if self.env else []
        for version in self.keep:
            words += ["--keep", version]
        return [*words, "--lane", self.lane]


def _ask(
    project: Project, entry: Entry, asked: Asked, trials: Trials, notify: Callable[[str], None]
) -> tuple[Question, list[Tried]]:
    """The question, and what was run to find it; raises UsageError where the options do not fit."""
    base = base_of(project, entry.failure, asked.env)
    digests = digests_of(project, entry, base.name, asked.lane)
    if asked.by_date:
        return _ask_days(entry.failure, base, asked).model_copy(update={"digests": digests}), []
    if asked.package is None:
        raise UsageError("give --package NAME, or --by-date --good DAY --bad DAY")
    if asked.keep:
        raise UsageError("--keep goes with --by-date: a bisection over releases keeps all other pins anyway")
    releases = releases_to_search(project.matrix, entry.failure, base, asked.package, fetch_files)
    ends = asked.ends
    facts: list[Tried] = []
    if needs_direction(entry.failure, base, releases, ends):
        ends, facts = with_direction(trials, entry.failure, base, releases, ends, notify=notify)
    question = question_of_releases(entry.failure, base, releases, ends, asked.lane)
    held = {point.label for point in question.points}
    return question.model_copy(update={"digests": digests}), [fact for fact in facts if fact.label in held]


def _ask_days(failure: Failure, base: Vector, asked: Asked) -> Question:
    good, bad = asked.ends.good, asked.ends.bad
    if asked.package or good is None or bad is None:
        raise UsageError("--by-date needs --good DAY and --bad DAY, and no --package")
    return question_of_days(failure, base, good=good, bad=bad, keep=kept_versions(asked.keep), lane=asked.lane)


def _print_question(out: Console, journal: SearchLog) -> None:
    question = journal.question
    last = len(question.points) - 1
    wanted = "the first good after the last bad" if question.find_fix else "the first bad after the last good"
    out.print(
        Text(f"{last + 1} points from {question.describe(0)} to {question.describe(last)} in {question.base}: {wanted}")
    )
    for line in describe_skipped(question.left_out):
        out.print(Text(line, style="dim"))
    known = f"; {len(journal.labels)} points are known from the log" if journal.tried else ""
    runs = most_runs(question.range)
    out.print(Text(f"at most {runs} runs, if each point gives a verdict and all runs agree{known}", style="dim"))
