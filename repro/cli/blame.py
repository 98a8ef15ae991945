"""``repro blame``."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import grouped
from repro.cli.script_options import (
    Arguments,
    OwnScript,
    ScriptOptions,
    ScriptTarget,
    bad_runs,
    gates_of,
    given_stack,
    is_script,
    own_script,
    refuse_script_options,
)
from repro.cli.search_options import (
    SearchOptions,
    print_answer,
    resumable,
    store_answer,
)
from repro.launch.session import Options
from repro.model.errors import ContradictionError, EnvironmentFailure, Exit, UndecidedError, UsageError
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Side
from repro.report.answers import blamed_lines, effort
from repro.report.console import console
from repro.report.script_answer import gate_lines, known_lines, sentence
from repro.report.terminal import Progress
from repro.search.environments import Vector, version_changes
from repro.search.index import fetch_files
from repro.search.lead import exit_of_answer, lead_bisection, lead_blame, today
from repro.search.learn_ends import known_failures, learn_either
from repro.search.log import SUFFIX, SearchLog
from repro.search.question import Ends
from repro.search.roles import moved_role
from repro.search.script_search import around_cause, question_of_script, script_project
from repro.search.start import vector_of
from repro.search.trials import Trials
from repro.store.answers import AnswerStore, Blamed
from repro.verdict.learn import describe


@grouped
def blame(
    failure_id: ScriptTarget,
    arguments: Arguments = None,
    *,
    start: Annotated[
        str,
        typer.Option("--from", metavar="ENV", help="Environment of one verdict; of a script also a lock or freeze."),
    ],
    end: Annotated[str, typer.Option("--to", metavar="ENV", help="Environment of the other.")],
    variables: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="KEY", help="For a script: KEY or KEY=VALUE, a variable that its ranks see."),
    ] = None,
    searching: SearchOptions,
    how: ScriptOptions,
) -> None:
    """Find the smallest set of version changes to blame.

    The changes are those between two environments that turn the verdict.  For a script, --from and --to may be
    files: a freeze, a lock or requirements; the release of each guilty package is then bisected as well.
    Packages that a release requires to be newer move with it: they are one change, named by that release.
    Development versions are told apart by commit or wheel, whatever version they state.

    Exit code 3 if it could not be decided whether some package is to blame.

    Example: repro blame transformers-36626 --from transformers-4.49.0-torch-2.6 --to transformers-4.50.0-torch-2.6

    Example: repro blame train.py --from good.txt --to uv.lock
    """
    if is_script(failure_id):
        run = searching.session
        words = ["repro", "blame", failure_id, "--from", start, "--to", end, "--lane", searching.lane, *how.words]
        words += searching.words(fresh=False)
        words += [part for setting in variables or [] for part in ("--env", setting)]

        def prepare(moved: tuple[str, ...]) -> OwnScript:
            return own_script(
                failure_id,
                moved,
                how,
                env=variables,
                arguments=arguments,
                lane=searching.lane,
                reports=searching.reports,
                catalog=searching.catalog,
            )

        with resumable([*words, *(["--", *arguments] if arguments else [])]):
            raise typer.Exit(_blame_script(prepare, (start, end), how, run, as_json=searching.as_json))
    refuse_script_options(how, arguments)
    if variables:
        raise UsageError("--env goes with a script: --from and --to name the environments")
    project = Project.here(searching.reports, searching.catalog)
    failure = project.catalog[failure_id].failure
    moved_role(failure, project.matrix, None, {})  # one role alone cannot be blamed yet: it says so
    first, last = vector_of(project, start), vector_of(project, end)
    out = console(error=searching.as_json)
    options = searching.session
    again = ["repro", "blame", failure_id, "--from", start, "--to", end, "--lane", searching.lane]
    again += searching.words(fresh=False)
    with resumable(again), Progress(out) as steps, Trials(project, failure, options, steps, searching.lane) as trials:
        answer = lead_blame(trials, failure, first, last, notify=lambda text: out.print(Text(text)))
    lines = [*blamed_lines(answer), f"effort      {effort(answer)}"]
    store_answer(project, answer)
    print_answer(answer, lines, out, as_json=searching.as_json)
    raise typer.Exit(exit_of_answer(answer))


def _blame_script(
    prepare: Callable[[tuple[str, ...]], OwnScript],
    names: tuple[str, str],
    how: ScriptOptions,
    run: Options,
    *,
    as_json: bool,
) -> Exit:
    """Blame, then bisect each guilty package; returns the exit code."""
    if how.requirements or how.python or how.base or how.like or how.metric:
        raise UsageError("--requirements, --python, --base, --like and --metric go with bisect")
    out = console(error=as_json)

    def notify(text: str) -> None:
        out.print(Text(text))

    project = prepare(("torch",)).project
    first, last = (given_stack(project, name) for name in names)
    if first.name == last.name:
        raise UsageError(
            f"--from {names[0]} and --to {names[1]}: two environments, or files of other names, are expected"
        )
    changed = tuple(change.distribution for change in version_changes(first, last))
    own = prepare(changed or ("torch",))
    failure = own.failure if how.by_exit else own.failure.model_copy(update={"rule": "signature"})
    ends = {held.name: held.environment for held in (first, last)}
    before = script_project(project, failure, own.snapshot.folder, own.variables)
    with Progress(out) as steps, Trials(before, failure, run, steps, failure.needs.lanes[0]) as trials:
        trials.define(ends)
        learned = learn_either(trials, failure, (last.name, first.name), notify)
    if not how.by_exit:
        notify(f"judged by {describe(learned.signature)}")
    after = script_project(project, learned, own.snapshot.folder, own.variables)
    with Progress(out) as steps, Trials(after, learned, run, steps, failure.needs.lanes[0]) as trials:
        trials.define(ends)
        answer = lead_blame(trials, learned, first, last, notify=notify).model_copy(update={"script": learned})
        file = AnswerStore(project.reports / "data").put(answer)
        found = [
            _release_of(trials, after, learned, answer, (first, last), cause, package, notify)
            for cause in answer.causes
            for package in cause
        ]
    shown = bad_runs(project, answer)
    seen = [*gate_lines(gates_of(shown)), *known_lines(known_failures(project.catalog, shown))]
    lines = [*blamed_lines(answer), *found, *seen, f"effort      {effort(answer)}", f"answer      {file}"]
    print_answer(answer, lines, out, as_json=as_json)
    return exit_of_answer(answer)


def _release_of(  # noqa: PLR0917 - the parts of one question
    trials: Trials,
    project: Project,
    learned: ScriptFailure,
    answer: Blamed,
    ends: tuple[Vector, Vector],
    cause: tuple[str, ...],
    package: str,
    notify: Callable[[str], None],
) -> str:
    """The release of a guilty package that turns the verdict, beside the other members of its cause; in one line."""
    old, new = (held.versions.get(package) for held in ends)
    if old is None or new is None:
        return f"release     {package}: {'added' if old is None else 'removed'}"
    if any(package in held.sources for held in ends):
        return f"release     {package}: a development version; bisect its commits in its repository with `git bisect`"
    good, bad = (old, new) if answer.start.side is Side.GOOD else (new, old)
    around = around_cause(*ends, cause, package, today())
    try:
        question = question_of_script(project, learned, around, package, Ends(good, bad), fetch_files)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        folder = AnswerStore(project.reports / "data").folder(learned.id)
        file = folder / f"bisect-{package}-{stamp}{SUFFIX}"
        journal = SearchLog.begin(file, question.model_copy(update={"script": learned}))
        found = lead_bisection(trials, learned, journal, notify)
    except (ContradictionError, EnvironmentFailure, UndecidedError, UsageError) as error:
        return f"release     {package}: not found: {error}"
    AnswerStore(project.reports / "data").put(found)
    return f"release     {sentence(found, journal.question)}"
