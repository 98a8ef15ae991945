"""Leads searches: turns a question into cells, and their verdicts into a stored answer."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from repro.model.errors import ContradictionError, EnvironmentFailure, Exit, UndecidedError, UsageError, exit_of
from repro.model.failure import Failure
from repro.model.matrix import Environment
from repro.model.verdict import Side
from repro.model.version_change import VersionChange
from repro.search.bisection import Boundary, Contradiction, Inconclusive, Probe, walk
from repro.search.blame import Effect, drive, outcome_of
from repro.search.companions import companions
from repro.search.confirm import TORCHRUN_RUNS, Confirmed, Noisy, Repeat, ahead, next_step, sides
from repro.search.environments import Vector, as_of, mixture, vector, version_changes
from repro.search.log import Question, SearchLog, SearchPoint, describe_fact, environments_of, evidence_of, summary
from repro.search.question import left_out_between, point_of
from repro.search.releases import Releases, chosen
from repro.search.roles import Moved
from repro.search.verdict_source import VerdictSource
from repro.store.answers import (
    Bisected,
    Blamed,
    BlamedChange,
    Every,
    Role,
    Stored,
    Swept,
    Tried,
    Turned,
    changes_in_strip,
    lower_end_tried,
)

Notify = Callable[[str], None]
LATEST = "latest"


def today() -> str:
    """The day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def lead_bisection(
    source: VerdictSource, failure: Failure, journal: SearchLog, notify: Notify, stored: Sequence[Stored] = ()
) -> Bisected:
    """Bisect, confirm the answer, and log every step; ``stored`` are earlier answers for the failure.

    Raises ContradictionError or UndecidedError if an end does not show what is expected, or the failure is too noisy.
    """
    question = journal.question
    began = time.monotonic()
    source.define(environments_of(question.points))
    while True:
        known = journal.evidence()
        step = next_step(question.range, known, failure.rate)
        if not isinstance(step, Probe | Repeat):
            break
        point = question.points[step.index]
        if isinstance(step, Repeat):
            notify(f"{question.describe(step.index)}: run again through torchrun, {step.runs} runs in all")
            fact = source.repeat(point.environment, point.label, step.runs)
        else:
            upcoming = [question.points[other].environment for other in ahead(question.range, known, rate=failure.rate)]
            fact = source.ask(point.environment, point.label, upcoming)
        journal.add(fact)
        notify(f"{question.describe(step.index)}: {describe_fact(fact)}")
        if journal.evidence() == known:
            raise UndecidedError(f"{question.describe(step.index)} could not be run again: {fact.text}")
    if not isinstance(step, Confirmed):
        raise _refusal(journal, step)
    return _answer(source, failure, journal, step, notify=notify, stored=stored, began=began)


def _answer(
    source: VerdictSource,
    failure: Failure,
    journal: SearchLog,
    found: Confirmed,
    *,
    notify: Notify,
    stored: Sequence[Stored],
    began: float,
) -> Bisected:
    question, move = journal.question, found.boundary
    places = {point.label: index for index, point in enumerate(question.points)}
    known = journal.evidence()
    answers = sides(question.range, known, failure.rate)
    facts = {
        places[label]: summary(
            journal.facts(label), answers.get(places[label], Side.SKIP), torchrun_only=found.torchrun_only
        )
        for label in journal.labels
        if label in places
    }
    before, after = facts[move.before], facts[move.after]
    ends = walk(question.range, answers).ends or (move.before, move.after)
    blame = None
    # Answers about another role say nothing of this one's releases.
    stored = [held for held in stored if not isinstance(held, Bisected | Swept) or held.role == question.role]
    pair = _vectors(source, question, move)
    changes = version_changes(*pair) if pair else ()
    if question.package is None and pair is not None and failure.rate is None:
        blame = lead_blame(source, failure, pair[0], pair[1], notify=notify, known=(before, after))
    return Bisected(
        failure=failure.id,
        date=_now(),
        package=question.package,
        base=question.base,
        role=question.role,
        roles=question.roles,
        older=question.older,
        before=before,
        after=after,
        untested=tuple(facts[index] for index in move.untested if index in facts),
        confirmed=True,
        noisy=found.noisy,
        launchers_disagree=any(held.launchers_disagree for held in known.values()) and not found.noisy,
        other_changes=(
            *(f"{question.describe(index)} is {answers[index]}: {facts[index].text}" for index in found.odd),
            *(changes_in_strip(stored, question.package) if question.package else ()),
        ),
        lower_end_open=question.package is not None
        and question.older is Side.BAD
        and not lower_end_tried(stored, question.package, question.points[ends[0]].label),
        between=(question.points[ends[0]].label, question.points[ends[1]].label),
        tried=tuple(facts.values()),
        points=len(question.points),
        also_moved=tuple(change.text for change in changes if change.distribution != question.package),
        upstream=failure.links,
        left_out=question.left_out,
        log=journal.file.name,
        seconds=round(time.monotonic() - began, 1),
        blame=blame,
    )


def _refusal(journal: SearchLog, step: Contradiction | Inconclusive | Noisy) -> ContradictionError | UndecidedError:
    question = journal.question
    name = question.describe(step.index)
    facts = journal.facts(question.points[step.index].label)
    if isinstance(step, Noisy):
        return UndecidedError(
            f"{name} is noisy: the failure shows in {step.k} of {step.n} runs; that is too rare for an answer, "
            f"and none is written"
        )
    end = "newer" if step.index * 2 >= len(question.points) else "older"
    seen = facts[-1].text if facts else "nothing"
    if isinstance(step, Contradiction):
        count = sum(fact.conclusive for fact in facts[-1:])
        runs = f" in {count} runs through torchrun" if count > 1 else ""
        turn = "--find-break" if question.find_fix else "--find-fix"
        return ContradictionError(
            f"{name}, the {end} end, is {step.expected.opposite}{runs}, but {step.expected} was expected: {seen}; "
            f"name other releases with --good and --bad, or ask the other way with {turn}"
        )
    return UndecidedError(f"{name}, the {end} end, gave no verdict: {seen}; name another one with --{step.expected}")


def _vectors(source: VerdictSource, question: Question, move: Boundary) -> tuple[Vector, Vector] | None:
    """The versions in the locks of the two neighbours; None if a lock is no longer available."""
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


def lead_blame(
    source: VerdictSource,
    failure: Failure,
    start: Vector,
    end: Vector,
    *,
    notify: Notify,
    known: tuple[Tried, Tried] | None = None,
) -> Blamed:
    """Find the smallest set of package changes that flips the verdict from that of the start to that of the end.

    A release and what it requires move together, as one change named after the requiring release.

    Raises UsageError where nothing differs and for a failure that shows in some runs only, ContradictionError or
    UndecidedError where the two ends do not show opposite sides.
    """
    if failure.rate is not None:
        raise UsageError(
            f"{failure.id} shows in some runs only (rate): blame cannot judge that; use `repro bisect --package NAME`"
        )
    began = time.monotonic()
    changes = version_changes(start, end)
    if start.environment.python != end.environment.python:
        raise UsageError(f"{start.name} and {end.name} have different Pythons: only packages can be blamed")
    if not changes:
        raise UsageError(f"{start.name} and {end.name} hold the same packages: there is nothing to blame")
    first, last = known or (_judge_end(source, start, notify), _judge_end(source, end, notify))
    if first.side is last.side:
        raise ContradictionError(f"{start.name} and {end.name} are both {first.side}: there is nothing to blame")
    facts: list[Tried] = []
    seen: dict[tuple[VersionChange, ...], Tried] = {}

    def ask(taken: tuple[VersionChange, ...]) -> Effect:
        variant = mixture(start, end, taken, changes)
        if variant.definition is not None:
            source.define({variant.name: variant.definition})
        fact = source.ask(variant.name, " + ".join(change.text for change in taken))
        facts.append(fact)
        seen[taken] = fact
        outcome = outcome_of(fact.side, start=first.side, end=last.side)
        notify(f"{fact.label}: {outcome}, {fact.text}")
        return outcome

    found = drive(changes, ask, _required(source, end, changes, notify))
    whole = [{*cause, *(other for one in cause for other in found.brought.get(one, ()))} for cause in found.causes]
    reasons = {
        change: _reason(change, found.causes, seen) for change, part in found.parts.items() if part is Role.REQUIRED
    }
    # Each cause, and all other changes together, are run again, since a single run led to each.
    for taken in (*whole, {*found.rest}):
        ordered = tuple(change for change in changes if change in taken)
        if ordered in seen and seen[ordered].side is not Side.SKIP:
            facts[facts.index(seen[ordered])] = _repeated(source, seen[ordered], notify)
    return Blamed(
        failure=failure.id,
        date=_now(),
        start=first,
        end=last,
        causes=tuple(tuple(change.distribution for change in cause) for cause in found.causes),
        required={
            change.distribution: tuple(other.distribution for other in others)
            for change, others in found.brought.items()
        },
        changes=tuple(
            BlamedChange.model_validate(
                {**change.model_dump(), "part": found.parts[change], "reason": reasons.get(change, "")}
            )
            for change in changes
        ),
        tried=tuple(facts),
        seconds=round(time.monotonic() - began, 1),
    )


def _required(
    source: VerdictSource, end: Vector, changes: Sequence[VersionChange], notify: Notify
) -> dict[VersionChange, tuple[VersionChange, ...]]:
    """The other changes that each change requires; none are known if the end cannot be built."""
    try:
        stated = source.requirements(end.name)
    except EnvironmentFailure as error:
        notify(f"{end.name}: the requirements of its releases are not known: {error}")
        return {}
    found = companions(changes, stated, end.environment.python)
    for change, others in found.items():
        notify(f"{change.text} requires, and is tried with: {', '.join(other.text for other in others)}")
    return found


def _reason(
    change: VersionChange,
    causes: Sequence[Sequence[VersionChange]],
    seen: Mapping[tuple[VersionChange, ...], Tried],
) -> str:
    """Why the smallest set with a required change, and without a guilty one, decided nothing."""
    guilty = {one for cause in causes for one in cause}
    failed = [taken for taken in seen if change in taken and not guilty.intersection(taken)]
    if not failed:
        return "it requires the guilty one in turn"
    return seen[min(failed, key=len)].text


def _judge_end(source: VerdictSource, held: Vector, notify: Notify) -> Tried:
    fact = source.ask(held.name, held.name)
    notify(f"{held.name}: {describe_fact(fact)}")
    if fact.side is Side.SKIP:
        raise UndecidedError(f"{fact.environment}, an end, gave no verdict: {fact.text}")
    return _repeated(source, fact, notify)


def _repeated(source: VerdictSource, fact: Tried, notify: Notify) -> Tried:
    """The fact with its repetition through torchrun; raises UndecidedError unless all runs agree."""
    notify(f"{fact.label}: run again through torchrun, {TORCHRUN_RUNS} runs")
    again = source.repeat(fact.environment, fact.label, TORCHRUN_RUNS)
    counts = evidence_of([fact, again])
    runs = [counts.warm, counts.torchrun]
    bad, good = sum(held.bad for held in runs), sum(held.good for held in runs)
    if counts.torchrun.conclusive < TORCHRUN_RUNS:
        raise UndecidedError(f"{fact.label} could not be run again: {again.text}")
    if bad and good:
        raise UndecidedError(
            f"{fact.label} is noisy: the failure shows in {bad} of {bad + good} runs; no package can be blamed"
        )
    return summary([fact, again], fact.side, torchrun_only=False)


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
    moved: Moved | None = None,
) -> Swept:
    """Try every chosen release, the oldest first, then today's newest stack."""
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
        what = "today's newest stack" if point.label == LATEST else f"{releases.distribution} {point.label}"
        notify(f"{what}: {fact.text if fact.side is not Side.SKIP else describe_fact(fact)}")
        facts.append(fact)
    return Swept(
        failure=failure.id,
        date=_now(),
        package=releases.distribution,
        base=base.name,
        role=moved.role if moved else "",
        roles=dict(moved.others) if moved else {},
        every=every,
        tried=tuple(fact for fact in facts if fact.label != LATEST),
        latest=next((fact for fact in facts if fact.label == LATEST), None),
        left_out=left_out,
        seconds=round(time.monotonic() - began, 1),
    )


def exit_of_answer(answer: Stored) -> Exit:
    """The exit code of a search: CHANGED if the answer contradicts the record."""
    if isinstance(answer, Turned):
        return exit_of(changed=True)
    if isinstance(answer, Blamed):
        undecided = {Role.UNTESTED, Role.NEEDED, Role.REQUIRED}
        return exit_of(unknown=any(change.part in undecided for change in answer.changes))
    disagrees = any(fact.agrees is False for fact in answer.all_tried)
    if isinstance(answer, Swept):
        return exit_of(changed=disagrees, unknown=any(fact.side is Side.SKIP for fact in answer.all_tried))
    undecided_blame = answer.blame is not None and exit_of_answer(answer.blame) is not Exit.OK
    return exit_of(changed=disagrees and answer.package is not None, unknown=bool(answer.untested) or undecided_blame)
