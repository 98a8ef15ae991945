"""Judges all stored observations again by the current rules."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from repro.catalog.catalog import Catalog
from repro.model.affected import is_affected
from repro.model.observation import Observation
from repro.model.verdict import Judgement, side_of
from repro.store.answers import AnswerStore, Blamed, Stored, Swept, Tried, Turned
from repro.store.observations import Store
from repro.store.parallel import FAILURES_FOR_PROCESSES, compute_all
from repro.verdict.judge import judge
from repro.verdict.rare import merge_repetitions


@dataclass(frozen=True)
class ChangedVerdict:
    """A verdict that the current rules change."""

    what: str
    before: str
    after: Judgement


def rejudged(
    observations: Iterable[Observation], recorded: Mapping[str, str], catalog: Catalog
) -> list[ChangedVerdict]:
    """Every observation whose verdict differs from the recorded one.  Pure."""
    changed = []
    for observation in observations:
        entry = catalog.entries.get(observation.cell.failure)
        before = recorded.get(observation.id)
        if entry is None or before is None:
            continue
        judgement = judge(entry.failure, observation)
        if judgement.verdict != before:
            changed.append(ChangedVerdict(observation.id, before, judgement))
    return changed


def rejudged_answer(answer: Stored, observations: Mapping[str, Observation], catalog: Catalog) -> Stored | None:
    """The answer of a search with today's verdicts and record; None if nothing changed.  Pure.

    The search itself is not repeated; a changed verdict shows that it should be.
    """
    entry = catalog.entries.get(answer.failure)
    if entry is None:
        return None

    def again(fact: Tried) -> Tried:
        held = [observations[name] for name in fact.observations if name in observations]
        if not held or len(held) < len(fact.observations):
            return fact
        if not entry.failure.depends_on_roles:  # a fact has the versions of the moved role only
            fact = fact.model_copy(update={"affected": is_affected(entry.failure, fact.versions)})
        judgements = [judge(entry.failure, observation) for observation in held]
        judgement = merge_repetitions(entry.failure, judgements).judgement
        if judgement.verdict is fact.verdict:
            return fact
        return fact.model_copy(
            update={
                "verdict": judgement.verdict,
                "side": side_of(judgement.verdict),
                "reason": judgement.reason,
                "evidence": judgement.evidence,
            }
        )

    def all_again(facts: Sequence[Tried]) -> tuple[Tried, ...]:
        return tuple(again(fact) for fact in facts)

    if isinstance(answer, Swept):
        renewed: Stored = answer.model_copy(update={"tried": all_again(answer.tried)})
    elif isinstance(answer, Blamed):
        renewed = _blame_again(answer, again)
    elif isinstance(answer, Turned):
        renewed = answer.model_copy(update={"before": again(answer.before), "after": again(answer.after)})
    else:
        renewed = answer.model_copy(
            update={
                "before": again(answer.before),
                "after": again(answer.after),
                "untested": all_again(answer.untested),
                "tried": all_again(answer.tried),
                "blame": _blame_again(answer.blame, again) if answer.blame else None,
            }
        )
    return None if renewed == answer else renewed


def _blame_again(answer: Blamed, again: Callable[[Tried], Tried]) -> Blamed:
    return answer.model_copy(
        update={
            "start": again(answer.start),
            "end": again(answer.end),
            "tried": tuple(again(fact) for fact in answer.tried),
        }
    )


@dataclass(frozen=True)
class Rejudgement:
    """The result of judging everything again."""

    judged: int
    unrecorded: int
    """The number of observations without a recorded verdict before."""
    changed: tuple[ChangedVerdict, ...]
    answers: tuple[str, ...]
    """The searches whose evidence changed and that should be repeated."""


@dataclass(frozen=True)
class _OfFailure:
    """What judging the observations of one failure again found."""

    judged: int
    changed: list[ChangedVerdict]
    unrecorded: list[tuple[str, str]]
    """Observations without a recorded verdict, each with its verdict."""
    renewed: list[tuple[Stored, Stored]]
    """Answers that changed, before and after."""


def rejudge(store: Store, catalog: Catalog) -> Rejudgement:
    """Judge all stored observations by the current rules and record the verdicts.  Nothing is run.

    The observations of one failure are read at a time: all of a large store do not fit in memory.
    """
    recorded = store.recorded_verdicts()
    answers = AnswerStore(store.root)

    def again(failure: str) -> _OfFailure:
        held = {seen.id: seen for seen in store.of_failure(failure)}
        entry = catalog.entries[failure]
        pairs = [(answer, rejudged_answer(answer, held, catalog)) for answer in answers.of(failure)]
        return _OfFailure(
            judged=len(held),
            changed=rejudged(held.values(), recorded, catalog),
            unrecorded=[
                (name, judge(entry.failure, seen).verdict) for name, seen in held.items() if name not in recorded
            ],
            renewed=[(before, after) for before, after in pairs if after is not None],
        )

    found = compute_all(again, list(catalog.entries), fewest=FAILURES_FOR_PROCESSES)
    renewed = [pair for one in found for pair in one.renewed]
    changed = [item for one in found for item in one.changed]
    unrecorded = [item for one in found for item in one.unrecorded]
    for _, after in renewed:
        answers.put(after)
    for item in changed:
        store.record_verdict(item.what, item.after.verdict)
    for name, verdict in unrecorded:
        store.record_verdict(name, verdict)
    outdated = [
        f"{before.failure} {before.slug}"
        for before, after in renewed
        if [fact.verdict for fact in after.all_tried] != [fact.verdict for fact in before.all_tried]
    ]
    return Rejudgement(sum(one.judged for one in found), len(unrecorded), tuple(changed), tuple(outdated))
