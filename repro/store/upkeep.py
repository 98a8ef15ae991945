"""Verifies a store and prunes it."""

from collections.abc import Iterable
from pathlib import Path

from repro.model.errors import StoreError
from repro.model.observation import Observation
from repro.store.answers import read_answer
from repro.store.kept_locks import KeptLocks
from repro.store.observations import KEY_CHARACTERS, SEARCHES, Store, read_observation
from repro.store.parts import Parts


def inconsistency(file: Path, observation: Observation) -> str | None:
    """How an observation contradicts the path of its file, or None.  Pure."""
    if observation.id != file.stem:
        return f"holds the observation {observation.id}"
    if not observation.id.startswith(f"{observation.recipe[:KEY_CHARACTERS]}-"):
        return f"its id does not begin with its recipe {observation.recipe[:KEY_CHARACTERS]}"
    if observation.cell.failure != file.parent.name:
        return f"is an observation of {observation.cell.failure}"
    return None


def verify(store: Store) -> tuple[int, list[str]]:
    """The number of stored observations, and every problem found, each with its file."""
    problems = []
    count = 0
    for file in store.files():
        count += 1
        try:
            problem = inconsistency(file, read_observation(file))
        except StoreError as error:
            problems.append(str(error))
            continue
        if problem:
            problems.append(f"{file}: {problem}; remove or restore the file")
    problems += Parts.of_store(store.root).problems()
    return count, problems + _answer_problems(store) + KeptLocks(store.root).problems()


def _answer_problems(store: Store) -> list[str]:
    problems = []
    root = store.root / SEARCHES
    for file in sorted(root.glob("*/*.json")) if root.is_dir() else []:
        try:
            answer = read_answer(file)
        except StoreError as error:
            problems.append(str(error))
            continue
        if answer.failure != file.parent.name:
            problems.append(f"{file}: is an answer about {answer.failure}; remove or restore the file")
    return problems


def superfluous(observations: Iterable[Observation], used: frozenset[str], keep: int = 1) -> list[Observation]:
    """The removable observations: all but the newest ``keep`` runs of each recipe, and never a used one.  Pure.

    All repetitions by one command are one run, and are kept or removed together.
    """
    by_recipe: dict[tuple[str, str], list[Observation]] = {}
    for observation in observations:
        by_recipe.setdefault((observation.cell.failure, observation.recipe), []).append(observation)
    gone = []
    for held in by_recipe.values():
        ordered = sorted(held, key=lambda observation: (observation.started, observation.id), reverse=True)
        runs = list(dict.fromkeys(observation.run for observation in ordered))
        needed = {observation.run for observation in held if observation.id in used}
        gone += [item for item in ordered if item.run not in runs[:keep] and item.run not in needed]
    return gone


def prune(store: Store, used: frozenset[str], *, keep: int = 1, dry: bool = False) -> list[Observation]:
    """Remove superfluous observations; returns those that were (or, if ``dry``, would be) removed.

    Unused locks and parts are removed too.  ``used`` are the ids of the observations that reports and answers cite.
    Raises StoreError, before anything is removed, if the store is damaged.
    """
    held = list(store)
    gone = superfluous(held, used, keep)
    for observation in gone if not dry else []:
        store.remove(observation)
    for part in store.unnamed_parts() if not dry else []:
        part.unlink(missing_ok=True)
    removed = {observation.id for observation in gone}
    kept = [observation.installed for observation in held if observation.id not in removed]
    KeptLocks(store.root).prune(frozenset(found.lock for found in kept if found and found.lock), dry=dry)
    return gone
