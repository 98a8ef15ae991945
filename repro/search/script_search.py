"""The question of a bisection for a user's script: the releases, the stack around them, and the rule for bad runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.model.errors import UsageError
from repro.model.failure import Signature
from repro.model.matrix import Environment
from repro.model.script_failure import ScriptFailure
from repro.search.confirm import most_runs
from repro.search.environments import Vector, vector
from repro.search.learn_ends import bad_end, learn_end
from repro.search.log import Digests, Question, SearchLog, environments_of
from repro.search.metric import END_RUNS
from repro.search.metric_source import learn_metric
from repro.search.own_stack import Wanted, environment_of
from repro.search.question import Ends, question_of_releases, releases_to_search
from repro.search.releases import Fetch
from repro.search.start import vector_of
from repro.search.trials import Trials
from repro.store.answers import Tried
from repro.verdict.learn import describe

RUNS = "repro-runs"
"""The folder below the working directory for runs of users' scripts, their snapshots and logs."""
SCRIPTS = "scripts"


@dataclass(frozen=True)
class Surroundings:
    """The stack around the moved package: an environment of the matrix, or the wanted content of a new one."""

    name: str | None = None
    wanted: Wanted | None = None
    day: str = ""
    """The day as of which a wanted stack is resolved; if empty, the day of the good release."""


def script_project(project: Project, failure: ScriptFailure, folder: Path, variables: dict[str, str]) -> Project:
    """The project of a script: it has the environments of the given project, and the script as its only failure."""
    return replace(project, own=Entry(failure, folder, variables))


def stack_vector(project: Project, name: str, wanted: Wanted, day: str) -> Vector:
    """A stack with given versions, as an end of a blame.

    Raises EnvironmentFailure if it does not resolve.
    """
    environment = Environment(
        python=wanted.python,
        cutoff=day,
        pins=dict(wanted.pins),
        floating=wanted.others,
        sources=dict(wanted.sources),
        why=f"as {name} says",
    )
    return vector(name, environment, project.deriving({name: environment}).environments.lock(name))


def around_cause(start: Vector, end: Vector, cause: tuple[str, ...], package: str, day: str) -> Surroundings:
    """The starting stack with the other members of a cause moved, in which one package can be bisected.

    All other versions are kept wherever the releases of that package allow it.
    """
    mates = {name: end.versions[name] for name in cause if name != package and name in end.versions}
    gone = {name for name in cause if name not in end.versions}
    moved = {name: text for name, text in end.sources.items() if name in cause and name != package}
    built = {name: text for name, text in start.sources.items() if name not in cause} | moved
    mates = {name: version for name, version in mates.items() if name not in built}
    kept = {name: held for name, held in start.versions.items() if name not in {*mates, *gone, *built, package}}
    wanted = Wanted(mates, tuple(sorted(kept)), kept, start.environment.python, built)
    return Surroundings(wanted=wanted, day=day)


def question_of_script(  # noqa: PLR0917 - each part of the question
    project: Project, failure: ScriptFailure, around: Surroundings, package: str, ends: Ends, fetch: Fetch
) -> Question:
    """The question of a bisection; raises UsageError if the ends make no range.

    The stack is resolved around the good release; each other release changes as little of it as possible.
    """
    if ends.good is None or ends.bad is None:
        raise UsageError("a script needs both ends: --good V, a release with which it passes, and --bad V")
    distribution = canonicalize_name(package)
    if around.name is not None:
        base = vector_of(project, around.name)
        releases = releases_to_search(project.matrix, failure, base, distribution, fetch)
    else:
        wanted = around.wanted or Wanted({})
        name = f"stack of {failure.script}"
        made = environment_of(wanted, distribution, "0", "2000-01-01", name)
        releases = releases_to_search(project.matrix, failure, Vector(name, made, {}), distribution, fetch)
        good = releases[releases.place(ends.good)]
        made = environment_of(
            wanted, distribution, good.version, around.day or good.day, f"the stack of {failure.script}"
        )
        lock = project.deriving({name: made}).environments.lock(name)
        base = vector(name, made, lock)
    question = question_of_releases(failure, base, releases, ends, failure.needs.lanes[0])
    digests = Digests(script=failure.content, record="", environment="")
    if around.name is not None:
        return question.model_copy(update={"digests": digests})
    # A generated stack is not in the matrix, so the point of the stack itself must contain its definition.
    points = tuple(
        point if point.definition else point.model_copy(update={"definition": base.environment})
        for point in question.points
    )
    return question.model_copy(update={"digests": digests, "points": points})


@dataclass(frozen=True)
class BadRule:
    """The rule for bad runs; by default, bad runs fail like the bad end."""

    by_exit: bool = False
    """Any exit code except 0 is bad."""
    metric: str | None = None
    """A number that the script reports."""
    signature: Signature | None = None
    """A given signature, which the bad end must show."""

    def applied(self, failure: ScriptFailure) -> ScriptFailure:
        """The failure before anything is learned; raises UsageError for contradicting rules."""
        if self.metric and (self.signature or self.by_exit):
            raise UsageError("--metric judges by a number; --exit and --like judge by a failure")
        return failure if self.by_exit or self.metric else failure.model_copy(update={"rule": "signature"})


def question_with_rule(
    trials: Trials, failure: ScriptFailure, question: Question, rule: BadRule, notify: Callable[[str], None]
) -> tuple[Question, list[Tried]]:
    """The question with the rule learned from its ends, and the tried points.

    Raises ContradictionError if the bad end does not fail, UndecidedError if an end cannot be judged.
    """
    trials.define(environments_of(question.points))
    if rule.metric:
        question = _with_metric(trials, failure, rule.metric, question, notify)
        return question.model_copy(update={"script": failure}), []
    learned, fact, _ = learn_end(trials, failure, question, notify, rule.signature)
    notify(f"judged by {'exit code alone' if rule.by_exit else describe(learned.signature)}")
    return question.model_copy(update={"script": learned}), [fact]


def _with_metric(
    trials: Trials, failure: ScriptFailure, metric: str, question: Question, notify: Callable[[str], None]
) -> Question:
    bad = bad_end(question)
    good = len(question.points) - 1 - bad
    names = question.points[good].environment, question.points[bad].environment
    labels = question.describe(good), question.describe(bad)
    notify(f"{' and '.join(labels)}, the ends: {END_RUNS[0]} runs each, to learn the noise of {metric}")
    rule = learn_metric(trials, failure, metric, names, labels, most_runs(question.range), notify)
    notify(f"judged by {rule.describe()}")
    return question.model_copy(update={"metric": rule})


def log_of_script(log: Path, failure: ScriptFailure, given: Path) -> SearchLog:
    """Read the log of a search for a script; raises UsageError if it is another search or the script changed."""
    journal = SearchLog.read(log)
    learned = journal.question.script
    if learned is None:
        raise UsageError(f"{log} is a search of {journal.question.failure}, which is no script")
    if learned.content != failure.content:
        raise UsageError(
            f"{given}, a file beside it, its arguments or its variables changed since {log} was begun: its answers "
            f"may not hold; search anew"
        )
    return journal
