"""The start of a search: its base environment and its direction."""

import hashlib
from collections.abc import Callable

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.model.errors import ContradictionError, UndecidedError, UsageError, unknown
from repro.model.failure import Failure, Lane
from repro.model.matrix import Environment
from repro.model.verdict import Side
from repro.search.ablation import ablation_environment
from repro.search.bisection import inwards
from repro.search.environments import Vector, vector
from repro.search.log import Digests, Question, describe_fact, environments_of
from repro.search.question import Ends, affected_releases, point_of
from repro.search.releases import Releases
from repro.search.roles import Moved, start_of
from repro.search.verdict_source import VerdictSource
from repro.store.answers import Tried
from repro.store.recipe import key_of_roles, recipe_of


def base_of(project: Project, failure: Failure, name: str | None, moved: Moved | None = None) -> Vector:
    """The named environment, the failure's first affected default one, or its first default one.

    Where one role is moved, it is that of the affected pair.

    Raises UsageError for an unknown name, or if matrix.yaml does not run the failure.
    """
    runs = project.matrix.runs.get(failure.id)
    start = start_of(failure, project.matrix, moved) if moved else None
    chosen = name or start or ablation_environment(failure, project.matrix) or (runs.environments[0] if runs else None)
    if chosen is None:
        raise UsageError(f"matrix.yaml does not run {failure.id}; name an environment to start from with --env")
    return vector_of(project, chosen)


def vector_of(project: Project, name: str) -> Vector:
    """A named environment with its versions; raises UsageError for an unknown name."""
    environments = {**project.matrix.environments, **project.derived}
    if name not in environments:
        raise unknown("environment", name, environments)
    return vector(name, environments[name], project.environments.lock(name))


def digests_of(project: Project, entry: Entry, base: str, lane: Lane, moved: Moved | None = None) -> Digests:
    """The further dependencies of a search's answers; raises UsageError for an unknown environment."""
    held = vector_of(project, base)
    lock = project.environments.lock(base)
    return Digests(
        script=recipe_of((moved or Moved()).cell(entry.failure, base, lane), entry, _others(project, moved)),
        # The day of a look upstream decides nothing; unset fields that older versions did not know are left out.
        record=_digest(entry.failure.model_dump_json(exclude={"upstream": {"looked"}})),
        environment=_digest(lock.digest, held.environment.model_dump_json(exclude=_unset(held.environment))),
    )


def _others(project: Project, moved: Moved | None) -> str:
    """The locks of the roles that stay where they are."""
    others = moved.others if moved else {}
    return key_of_roles("", {role: project.environments.lock(name).digest for role, name in others.items()})


def _unset(environment: Environment) -> set[str]:
    return set() if environment.prereleases else {"prereleases"}


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def refuse_other(question: Question, now: Digests, log: str) -> None:
    """Raise UsageError if a log was made with another script, record or environment."""
    if question.digests is None:
        raise UsageError(f"{log} is of an older version and does not name its script and record: search anew")
    changed = question.digests.changed(now)
    if changed:
        names = " and ".join(changed)
        raise UsageError(f"the {names} changed since {log} was begun: its answers may not hold; search anew")


def needs_direction(failure: Failure, base: Vector, releases: Releases, asked: Ends) -> bool:
    """True if neither the user nor the record states whether the failure was fixed.

    A record that covers the newest release, or only one release, does not: it may contain only what the reporter saw.
    """
    affected = affected_releases(failure, base, releases)
    if asked.good is not None or asked.find_fix is not None or not affected:
        return False
    return affected[-1] == len(releases) - 1 or len(affected) == 1


def with_direction(
    source: VerdictSource,
    failure: Failure,
    base: Vector,
    releases: Releases,
    asked: Ends,
    *,
    notify: Callable[[str], None],
) -> tuple[Ends, list[Tried]]:
    """Run the reporter's release and the newest one: search the fix if the newest is good, else the break.

    The reporter's release is the one that ``--bad`` names, or the oldest one that the record covers.  Also returns the
    runs.  Raises ContradictionError if it does not show the failure, UndecidedError if its runs are inconclusive.
    """
    affected = affected_releases(failure, base, releases)
    bad = releases.place(asked.bad) if asked.bad else affected[0]
    name = releases[bad].version
    facts: list[Tried] = []

    def side(index: int) -> Side:
        point = point_of(base, releases.distribution, releases[index])
        source.define(environments_of([point]))
        fact = source.ask(point.environment, point.label)
        facts.append(fact)
        notify(f"{releases.distribution} {point.label}: {describe_fact(fact)}")
        return fact.side

    if bad == len(releases) - 1:
        return Ends(bad=name, find_fix=False), facts
    seen = side(bad)
    where = (
        f"{releases.distribution} {name}, {'given with --bad' if asked.bad else 'the oldest release in the record'},"
    )
    if seen is Side.GOOD:
        raise ContradictionError(f"{where} does not show the failure; name a release that shows it with --bad")
    if seen is Side.SKIP:
        raise UndecidedError(f"{where} gave no verdict; name another release that shows the failure with --bad")
    for index in inwards(len(releases) - bad, newer=True):
        newest = side(bad + index)
        if newest is not Side.SKIP:
            return Ends(bad=name, find_fix=newest is Side.GOOD), facts
    raise UndecidedError(f"no newer release of {releases.distribution} gave a verdict; name one with --good")
