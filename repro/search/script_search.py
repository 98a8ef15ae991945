"""The question of a bisection for a user's script: its releases, and the stack around them."""

from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.errors import UsageError
from repro.model.matrix import Environment
from repro.model.script_failure import ScriptFailure
from repro.search.environments import Vector, vector
from repro.search.log import Digests, Question
from repro.search.own_stack import Wanted, environment_of
from repro.search.question import Ends, question_of_releases, releases_to_search
from repro.search.releases import Fetch
from repro.search.start import vector_of

RUNS = "repro-runs"
"""The folder below the working directory that holds the runs of users' scripts, their snapshots and logs."""
SCRIPTS = "scripts"


@dataclass(frozen=True)
class Surroundings:
    """What stands around the package that is moved: an environment of the matrix, or what is wanted of a new one."""

    name: str | None = None
    wanted: Wanted | None = None
    day: str = ""
    """The day that a wanted stack is resolved as of; that of the good release where it is empty."""


def script_project(project: Project, failure: ScriptFailure, folder: Path, variables: dict[str, str]) -> Project:
    """The project of a script: the environments are the project's, and the script is its only failure."""
    return replace(project, own=Entry(failure, folder, variables))


def stack_vector(project: Project, name: str, wanted: Wanted, day: str) -> Vector:
    """A stack that is given version by version, as an end of a blame.

    Raises EnvironmentFailure if it does not resolve.
    """
    environment = Environment(
        python=wanted.python, cutoff=day, pins=dict(wanted.pins), floating=wanted.others, why=f"as {name} says"
    )
    return vector(name, environment, project.deriving({name: environment}).environments.lock(name))


def around_cause(start: Vector, end: Vector, cause: tuple[str, ...], package: str, day: str) -> Surroundings:
    """The starting stack with the other members of a cause as in the other stack: there one package can be bisected.

    All other versions are kept wherever the releases of that package allow.
    """
    mates = {name: end.versions[name] for name in cause if name != package and name in end.versions}
    gone = {name for name in cause if name not in end.versions}
    kept = {name: held for name, held in start.versions.items() if name not in {*mates, *gone, package}}
    return Surroundings(wanted=Wanted(mates, tuple(sorted(kept)), kept, start.environment.python), day=day)


def question_of_script(  # noqa: PLR0917 - each part of the question
    project: Project, failure: ScriptFailure, around: Surroundings, package: str, ends: Ends, fetch: Fetch
) -> Question:
    """The question of a bisection; raises UsageError where the ends make no range.

    The stack is resolved around the good release, and each other release changes as little of it as it can.
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
    # The made-up stack is no environment of the matrix: the point that is the stack itself names its definition.
    points = tuple(
        point if point.definition else point.model_copy(update={"definition": base.environment})
        for point in question.points
    )
    return question.model_copy(update={"digests": digests, "points": points})
