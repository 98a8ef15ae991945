"""Plans and leads searches: from a question to cells, from their verdicts to an answer that is stored."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from repro.catalog.amend import amend, bounds
from repro.catalog.project import Project
from repro.environments.locks import Lock
from repro.errors import ContradictionError, EnvironmentFailure, Exit, UndecidedError, UsageError, unknown
from repro.model.failure import Failure
from repro.model.matrix import Environment
from repro.model.verdict import Side
from repro.search.ablation import ablation_environment
from repro.search.bisection import Boundary, Contradiction, bisect
from repro.search.blame import Effect, drive, outcome_of
from repro.search.environments import Move, Vector, as_of, mixture, moves, vector
from repro.search.log import Question, SearchLog, SearchPoint, environments_of
from repro.search.question import left_out_between, point_of
from repro.search.releases import Releases, chosen
from repro.store.answers import Bisected, Blamed, Changed, Every, Role, Stored, Swept, Tried

Notify = Callable[[str], None]
LATEST = "latest"


class VerdictSource(Protocol):
    """Where verdicts come from."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Make environments known by name."""

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """What an environment shows; those named in ``ahead`` may be asked for next."""

    def lock(self, name: str) -> Lock:
        """The lock of an environment."""


def today() -> str:
    """The day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def base_of(project: Project, failure: Failure, name: str | None) -> Vector:
    """The named environment, or the failure's first affected default one.

    Raises UsageError for an unknown name, or where the matrix has no affected one.
    """
    chosen_name = name or ablation_environment(failure, project.matrix)
    if chosen_name is None:
        raise UsageError(f"matrix.yaml runs {failure.id} on no affected environment; name one with --env")
    return vector_of(project, chosen_name)


def lead_bisection(source: VerdictSource, failure: Failure, journal: SearchLog, notify: Notify) -> Bisected:
    """Bisect, writing every step to the log.

    Raises ContradictionError or UndecidedError where an end does not show what it must.
    """
    question = journal.question
    began = time.monotonic()
    source.define(environments_of(question.points))

    def ask(index: int, ahead: tuple[int, ...]) -> Side:
        point = question.points[index]
        upcoming = [question.points[other].environment for other in ahead]
        fact = source.ask(point.environment, point.label, upcoming)
        journal.add(fact)
        notify(f"{question.describe(index)}: {fact.side}, {fact.text}")
        return fact.side

    move = bisect(question.range, journal.answers(), ask)
    if not isinstance(move, Boundary):
        assert isinstance(move, Contradiction) or hasattr(move, "expected")  # noqa: S101 - the loop has ended
        raise _refusal(journal, move.index, move.expected, contradiction=isinstance(move, Contradiction))
    before, after = journal.of(move.before), journal.of(move.after)
    assert before is not None  # noqa: S101 - both ends were asked
    assert after is not None  # noqa: S101
    untested = tuple(fact for index in move.untested if (fact := journal.of(index)) is not None)
    blame = None
    pair = _vectors(source, question, move)
    if question.package is None and pair is not None:
        blame = lead_blame(source, failure, pair[0], pair[1], notify=notify, known=(before, after))
    return Bisected(
        failure=failure.id,
        date=_now(),
        package=question.package,
        base=question.base,
        older=question.older,
        before=before,
        after=after,
        untested=untested,
        tried=tuple(journal.tried),
        points=len(question.points),
        also_moved=tuple(str(m) for m in moves(*pair) if m.distribution != question.package) if pair else (),
        upstream=(*failure.upstream.issues, *failure.upstream.fixes),
        left_out=question.left_out,
        log=journal.file.name,
        seconds=round(time.monotonic() - began, 1),
        blame=blame,
    )


def _refusal(
    journal: SearchLog, index: int, expected: Side, *, contradiction: bool
) -> ContradictionError | UndecidedError:
    question = journal.question
    end = "newer" if index * 2 >= len(question.points) else "older"
    seen = journal.of(index)
    words = f"{question.describe(index)}, the {end} end,"
    told = seen.text if seen else "nothing"
    if contradiction:
        return ContradictionError(
            f"{words} is {expected.opposite} where {expected} was said: {told}; "
            f"give --good and --bad that are so, or turn the question round with --find-fix or --find-break"
        )
    return UndecidedError(f"{words} cannot be told: {told}; name another with --{expected}")


def _vectors(source: VerdictSource, question: Question, move: Boundary) -> tuple[Vector, Vector] | None:
    """What the two neighbours' locks hold; None where it cannot be known any more."""
    found = []
    for index in (move.before, move.after):
        point = question.points[index]
        try:
            lock = source.lock(point.environment)
        except EnvironmentFailure:
            return None
        environment = point.definition or Environment(cutoff=point.day, pins=lock.versions, why=question.base)
        found.append(vector(point.environment, environment, lock))
    return found[0], found[1]


def vector_of(project: Project, name: str) -> Vector:
    """A named environment with its versions; raises UsageError for an unknown name."""
    environments = project.matrix.environments
    if name not in environments:
        raise unknown("environment", name, environments)
    return vector(name, environments[name], project.environments.lock(name))


def lead_blame(
    source: VerdictSource,
    failure: Failure,
    start: Vector,
    end: Vector,
    *,
    notify: Notify,
    known: tuple[Tried, Tried] | None = None,
) -> Blamed:
    """Find the smallest set of package changes that turns the verdict of the start into that of the end.

    Raises UsageError where nothing differs, ContradictionError or UndecidedError where the two ends do not
    show opposite sides.
    """
    began = time.monotonic()
    changes = moves(start, end)
    if start.environment.python != end.environment.python:
        raise UsageError(f"{start.name} and {end.name} have different Pythons: only packages can be blamed")
    if not changes:
        raise UsageError(f"{start.name} and {end.name} hold the same packages: there is nothing to blame")
    first, last = known or (_judge_end(source, start, notify), _judge_end(source, end, notify))
    for fact in (first, last):
        if fact.side is Side.SKIP:
            raise UndecidedError(f"{fact.environment}, an end, cannot be told: {fact.text}")
    if first.side is last.side:
        raise ContradictionError(f"{start.name} and {end.name} are both {first.side}: there is nothing to blame")
    facts: list[Tried] = []

    def ask(taken: tuple[Move, ...]) -> Effect:
        variant = mixture(start, end, taken, changes)
        if variant.definition is not None:
            source.define({variant.name: variant.definition})
        fact = source.ask(variant.name, " + ".join(str(move) for move in taken))
        facts.append(fact)
        outcome = outcome_of(fact.side, start=first.side, end=last.side)
        notify(f"{fact.label}: {outcome}, {fact.text}")
        return outcome

    found = drive(changes, ask)
    return Blamed(
        failure=failure.id,
        date=_now(),
        start=first,
        end=last,
        causes=tuple(tuple(move.distribution for move in cause) for cause in found.causes),
        changes=tuple(
            Changed(distribution=move.distribution, before=move.before, after=move.after, part=found.parts[move])
            for move in changes
        ),
        tried=tuple(facts),
        seconds=round(time.monotonic() - began, 1),
    )


def _judge_end(source: VerdictSource, held: Vector, notify: Notify) -> Tried:
    fact = source.ask(held.name, held.name)
    notify(f"{held.name}: {fact.side}, {fact.text}")
    return fact


def lead_sweep(
    source: VerdictSource,
    failure: Failure,
    base: Vector,
    releases: Releases,
    *,
    every: Every,
    notify: Notify,
    since: str | None = None,
    until: str | None = None,
    latest: bool = True,
) -> Swept:
    """Ask every chosen release, the oldest first, then the newest stack of today."""
    began = time.monotonic()
    within = releases.between(since, until)
    if not within:
        raise UsageError(
            f"no release of {releases.distribution} lies from {since or 'the first'} to {until or 'the last'}"
        )
    points = [point_of(base, releases.distribution, release) for release in chosen(within, every)]
    left_out = left_out_between(releases, within[0], within[-1])
    if latest:
        points.append(SearchPoint.of(LATEST, as_of(base.name, base.environment, today(), {}), today()))
    source.define(environments_of(points))
    facts = []
    for index, point in enumerate(points):
        ahead = [other.environment for other in points[index + 1 : index + 3]]
        fact = source.ask(point.environment, point.label, ahead)
        what = "the newest stack of today" if point.label == LATEST else f"{releases.distribution} {point.label}"
        notify(f"{what}: {fact.text}")
        facts.append(fact)
    return Swept(
        failure=failure.id,
        date=_now(),
        package=releases.distribution,
        base=base.name,
        every=every,
        tried=tuple(fact for fact in facts if fact.label != LATEST),
        latest=next((fact for fact in facts if fact.label == LATEST), None),
        left_out=left_out,
        seconds=round(time.monotonic() - began, 1),
    )


class Replay:
    """A source without an answer: what a log does not hold cannot be told."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Nothing is built."""

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Raise UndecidedError."""
        del ahead
        raise UndecidedError(f"the log ends before {label} ({name}); go on with --resume")

    def lock(self, name: str) -> Lock:
        """Raise EnvironmentFailure."""
        raise EnvironmentFailure(f"{name} is not resolved in a replay")


def exit_of_answer(answer: Stored) -> Exit:
    """The exit code of a search: what contradicts the record weighs more than what could not be told."""
    if isinstance(answer, Blamed):
        undecided = {Role.UNTESTED, Role.NEEDED}
        return Exit.UNKNOWN if any(change.part in undecided for change in answer.changes) else Exit.OK
    if any(fact.agrees is False for fact in answer.all_tried) and (isinstance(answer, Swept) or answer.package):
        return Exit.CHANGED
    if isinstance(answer, Swept):
        return Exit.UNKNOWN if any(fact.side is Side.SKIP for fact in answer.all_tried) else Exit.OK
    return Exit.UNKNOWN if answer.untested or (answer.blame and exit_of_answer(answer.blame)) else Exit.OK


def amend_record(file: Path, failure: Failure, answer: Bisected) -> str:
    """Correct the affected range of a record where it disagrees; says what was done.

    Raises UsageError or RecordError, with the record as it was, where the answer or the record does not allow it.
    """
    if answer.package is None:
        raise UsageError("days cannot be written into a record: bisect the package that is to blame")
    if answer.untested:
        raise UsageError("the answer is a range: nothing is written into the record")
    if answer.agrees:
        return "the record agrees: nothing to write"
    fix = answer.older is Side.BAD
    bad = answer.before if fix else answer.after
    clause = f"{'<' if fix else '>='}{answer.after.label}"
    changes = bounds(failure, answer.package, bad.versions | {answer.package: bad.label}, clause)
    amend(file, changes)
    return f"{file}: {', '.join(f'{at[0]} {at[-1]} {value}' for at, value in changes.items())}"
