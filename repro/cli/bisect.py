"""``repro bisect``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.catalog import RECORD
from repro.catalog.choose_cells import parse_roles
from repro.catalog.project import Project
from repro.cli.cluster_options import ClusterOptions
from repro.cli.options import grouped
from repro.cli.script_options import (
    Arguments,
    OwnScript,
    ScriptOptions,
    ScriptTarget,
    bad_runs,
    command,
    gates_of,
    is_script,
    own_script,
    refuse_script_options,
    signature_given,
    sources_given,
    surroundings,
)
from repro.cli.search_options import (
    Package,
    SearchOptions,
    Stage,
    StageEnv,
    print_answer,
    resumable,
    store_answer,
)
from repro.launch.session import Options
from repro.model.errors import Exit, UsageError, exit_of
from repro.report.answers import bisected_lines
from repro.report.console import console
from repro.report.script_answer import script_lines
from repro.report.terminal import Progress
from repro.search.confirm import most_runs
from repro.search.index import fetch_files
from repro.search.lead import exit_of_answer, lead_bisection
from repro.search.learn_ends import known_failures
from repro.search.log import SearchLog
from repro.search.metric import check_metric
from repro.search.metric_source import MetricSource
from repro.search.question import Ends, describe_skipped
from repro.search.record_search import Asked, log_of_record, log_to_resume, question_of_record
from repro.search.roles import Moved, moved_role
from repro.search.script_search import BadRule, log_of_script, question_of_script, question_with_rule, script_project
from repro.search.trials import Trials
from repro.search.verdict_source import Replay
from repro.search.write import amend_record
from repro.store.answers import AnswerStore, Bisected


@grouped
def bisect(
    failure_id: ScriptTarget,
    arguments: Arguments = None,
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
    by_date: Annotated[
        bool, typer.Option("--by-date", help="Bisect over days: the whole stack as of each day.")
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="NAME==V", help="With --by-date: keep a package at this version."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="NAME",
            help="For an id: environment to start from [default: the first affected one]. For a script: KEY or "
            "KEY=VALUE, a variable that its ranks see.",
        ),
    ] = None,
    stage: Stage = None,
    stage_env: StageEnv = None,
    write: Annotated[bool, typer.Option("--write", help="Correct the record's affected range.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="LOG",
            help="Resume from a log of the same script, record and environment. For a script with a local development "
            "version, give --requirements or --base again.",
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="LOG", help="Decide again from a log; run nothing.")
    ] = None,
    searching: SearchOptions,
    how: ScriptOptions,
    where: ClusterOptions,
) -> None:
    """Find the release that broke or fixed a failure or script.

    Both neighbours of the answer are run again through torchrun before it is stored or written.

    A script is run as it is, in a copy of its folder that is its working directory; what it writes there is
    removed.  It passes if every rank ends with exit code 0.  The bad end is run first: how it fails there
    (exception, message, innermost library frame, ranks) is what counts as bad; a release on which it fails in
    another way is skipped.  On the CPU lane CUDA is hidden, and refusals to run without an accelerator are lifted.
    Runs, log and copy are kept in repro-runs/.

    Exit code 1 if the record's specifiers disagree, 3 if the answer is a range.

    Example: repro bisect transformers-36626 --package transformers --bad 4.44.0 --good 4.51.0

    Example: repro bisect train.py --package transformers --good 4.49.0 --bad 4.57.6 -- --steps 2
    """
    slurm = where.slurm
    if is_script(failure_id):
        _refuse_of_a_script({"--write": write, "--stage": stage or stage_env, "--on slurm": slurm})
        given = Asked(Ends(good, bad, find_fix), package, by_date, None, tuple(keep or ()), searching.lane)
        run = searching.session
        words = searching.words(fresh=searching.fresh)
        words += [part for setting in env or [] for part in ("--env", setting)]
        own = own_script(
            failure_id,
            (package or "torch",),
            how,
            env=env,
            arguments=arguments,
            lane=searching.lane,
            reports=searching.reports,
            catalog=searching.catalog,
        )
        raise typer.Exit(
            _bisect_script(own, given, how, run, words, resume=resume, replay=replay, as_json=searching.as_json)
        )
    refuse_script_options(how, arguments)
    project = Project.here(searching.reports, searching.catalog)
    entry = project.catalog[failure_id]
    out = console(error=searching.as_json)
    answers = AnswerStore(project.reports / "data")
    stored = answers.of(failure_id)
    if len(env or ()) > 1:
        raise UsageError("--env names one environment to start from")
    asked = Asked(
        Ends(good, bad, find_fix),
        package,
        by_date,
        env[0] if env else None,
        tuple(keep or ()),
        searching.lane,
        stage,
        tuple(stage_env or ()),
    )
    if write and stage:
        raise UsageError("--write does not go with --stage: what one role needs depends on the others")
    options = [*searching.words(fresh=searching.fresh), *where.words, *(["--write"] if write else [])]

    def notify(text: str) -> None:
        out.print(Text(text))

    if replay:
        journal = log_of_record(replay, failure_id)
        _print_question(out, journal)
        answer = lead_bisection(Replay(), entry.failure, journal, notify, stored)
    else:
        resumed = log_to_resume(resume, project, entry) if resume else None
        lane = resumed.question.lane if resumed else searching.lane
        moved = (
            Moved(resumed.question.role, resumed.question.roles)
            if resumed
            else moved_role(entry.failure, project.matrix, stage, parse_roles(stage_env or []))
        )
        with (
            Progress(out) as steps,
            Trials(project, entry.failure, searching.session, steps, lane, moved=moved, slurm=slurm) as trials,
        ):
            if resumed:
                journal = resumed
            else:
                with resumable(["repro", "bisect", failure_id, *asked.arguments, *options]):
                    question, facts = question_of_record(project, entry, asked, trials, fetch_files, notify, moved)
                journal = SearchLog.new(answers.folder(failure_id), question, facts)
            _print_question(out, journal)
            with resumable(["repro", "bisect", failure_id, "--resume", str(journal.file), *options]):
                answer = lead_bisection(trials, entry.failure, journal, notify, stored)
        store_answer(project, answer)
    print_answer(answer, bisected_lines(answer), out, as_json=searching.as_json)
    if write:
        out.print(Text(amend_record(entry.folder / RECORD, entry.failure, answer, stored)))
    raise typer.Exit(exit_of_answer(answer))


_OF_AN_ID = {
    "--write": "a script has no record",
    "--stage": "a script has no stages",
    "--on slurm": "a script of your own runs on this machine",
}


def _refuse_of_a_script(given: Mapping[str, object]) -> None:
    """Raise UsageError for an option that needs a record."""
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} goes with an id: {_OF_AN_ID[name]}")


def _print_question(out: Console, journal: SearchLog) -> None:
    question = journal.question
    last = len(question.points) - 1
    wanted = "the first good after the last bad" if question.find_fix else "the first bad after the last good"
    where = f"{question.base} ({note})" if (note := Moved(question.role, question.roles).note) else question.base
    out.print(Text(f"{last + 1} points from {question.describe(0)} to {question.describe(last)} in {where}: {wanted}"))
    for line in describe_skipped(question.left_out):
        out.print(Text(line, style="dim"))
    known = f"; {len(journal.labels)} points are known from the log" if journal.tried else ""
    # A number needs several runs for each answer.
    runs = most_runs(question.range) * (question.metric.runs if question.metric else 1)
    out.print(Text(f"at most {runs} runs, if each point gives a verdict and all runs agree{known}", style="dim"))


def _bisect_script(
    own: OwnScript,
    asked: Asked,
    how: ScriptOptions,
    run: Options,
    words: list[str],
    *,
    resume: Path | None,
    replay: Path | None,
    as_json: bool,
) -> Exit:
    """Learn how the script fails on the bad end, bisect, and print the answer; returns the exit code."""
    out = console(error=as_json)

    def notify(text: str) -> None:
        out.print(Text(text))

    answers = AnswerStore(own.project.reports / "data")
    if log := resume or replay:
        journal = log_of_script(log, own.failure, own.given)
        if resume and journal.question.has_local_sources:
            journal.question = journal.question.on_this_machine(sources_given(own, how))
    else:
        with resumable(["repro", "bisect", str(own.given), *asked.arguments, *how.words, *words, *own.again]):
            journal = _begin(own, asked, how, run, out)
    failure = journal.question.script
    assert failure is not None  # noqa: S101 - a log of a script holds it
    _print_question(out, journal)
    stack = how.words_of_stack if journal.question.has_local_sources else []
    again = ["repro", "bisect", str(own.given), "--resume", str(journal.file), *stack, *words, *own.again]
    if replay:
        answer = lead_bisection(Replay(), failure, journal, notify)
    else:
        project = script_project(own.project, failure, own.snapshot.folder, own.variables)
        with (
            resumable(again),
            Progress(out) as steps,
            Trials(project, failure, run, steps, journal.question.lane) as trials,
        ):
            rule = journal.question.metric
            source = MetricSource(trials, failure, rule) if rule else trials
            answer = lead_bisection(source, failure, journal, notify)
        answers.put(answer)
    print_answer(answer, [*_script_lines(own, answer, journal), f"again       {command(again)}"], out, as_json=as_json)
    return exit_of(unknown=bool(answer.untested))


def _begin(own: OwnScript, asked: Asked, how: ScriptOptions, run: Options, out: Console) -> SearchLog:
    """The log of a new search, with the signature that was learned from the bad end."""
    if asked.package is None or asked.by_date or asked.keep:
        raise UsageError("a script is bisected over the releases of a package: give --package NAME --good V --bad V")
    rule = BadRule(how.by_exit, check_metric(how.metric) if how.metric else None, signature_given(how))
    failure = rule.applied(own.failure)
    question = question_of_script(own.project, failure, surroundings(own, how), asked.package, asked.ends, fetch_files)
    project = script_project(own.project, failure, own.snapshot.folder, own.variables)
    with Progress(out) as steps, Trials(project, failure, run, steps, asked.lane) as trials:
        question, facts = question_with_rule(trials, failure, question, rule, lambda text: out.print(Text(text)))
    return SearchLog.new(AnswerStore(own.project.reports / "data").folder(failure.id), question, facts)


def _script_lines(own: OwnScript, answer: Bisected, journal: SearchLog) -> list[str]:
    """The lines of the answer, with what the stored runs of the bad side say of known failures and of gates."""
    shown = bad_runs(own.project, answer)
    known = known_failures(own.project.catalog, shown)
    return [*script_lines(answer, journal.question, known, gates_of(shown)), f"log         {journal.file}"]
