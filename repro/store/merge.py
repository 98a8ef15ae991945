"""Merges the stores of several machines into one.  Everything is verified before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from repro.model.errors import StoreError
from repro.model.observation import Observation
from repro.store.answers import AnswerStore, Stored, replaces
from repro.store.kept_locks import KeptLocks
from repro.store.observations import Store
from repro.store.upkeep import verify


@dataclass(frozen=True)
class MergedStores:
    """The numbers of added observations, known observations and added answers."""

    added: int
    known: int
    answers: int


def merge_stores(store: Store, others: Sequence[Store]) -> MergedStores:
    """Add the observations, recorded verdicts and answers of other stores; merging them again changes nothing.

    Of two answers to one question, the newer one is kept.  Raises StoreError, with nothing changed, if a store is
    missing or damaged, or has a different observation under a known id.
    """
    for other in others:
        _whole(other)
    new = _new(store, others)
    answers = _newer(store, others)
    recorded = {name: verdict for other in others for name, verdict in other.recorded_verdicts().items()}
    for observation in new.values():
        store.add(observation)
        if observation.id in recorded:
            store.record_verdict(observation.id, recorded[observation.id])
    for other in others:
        for kept in KeptLocks(other.root):
            KeptLocks(store.root).put(kept.lock)
    for answer in answers:
        AnswerStore(store.root).put(answer)
    total = sum(1 for other in others for _ in other.files())
    return MergedStores(len(new), total - len(new), len(answers))


def _whole(other: Store) -> None:
    if not other.root.is_dir():
        raise StoreError(f"{other.root}: no such store")
    count, problems = verify(other)
    if problems:
        raise StoreError(f"{other.root}: {len(problems)} of {count} are wrong: {problems[0]}")


def _new(store: Store, others: Sequence[Store]) -> dict[str, Observation]:
    """The observations that the store does not have, by id."""
    held = {observation.id: observation for observation in store}
    new: dict[str, Observation] = {}
    for other in others:
        for observation in other:
            known = held.get(observation.id) or new.get(observation.id)
            if known is None:
                new[observation.id] = observation
            elif known != observation:
                raise StoreError(f"{other.root}: {observation.id} is another observation under a known id")
    return new


def _newer(store: Store, others: Sequence[Store]) -> list[Stored]:
    """The answers that the store does not have, or has in an older version."""
    held = list(AnswerStore(store.root))
    best = held
    for other in others:
        for answer in AnswerStore(other.root):
            if not any(replaces(known, answer) for known in best):
                best = [*(known for known in best if not replaces(answer, known)), answer]
    return [answer for answer in best if answer not in held]
