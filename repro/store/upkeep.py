"""Care of the store: what is in it, whether it is whole, what may go, and what a better rule says of it."""

from collections.abc import Iterable
from pathlib import Path

from repro.errors import StoreError
from repro.model.observation import Observation
from repro.store.answers import AnswerStore
from repro.store.observations import KEY_CHARACTERS, Store, read_observation


def inconsistency(file: Path, observation: Observation) -> str | None:
    """What does not fit between a file's place and what it says, or None.  Pure."""
    if observation.id != file.stem:
        return f"holds the observation {observation.id}"
    if not observation.id.startswith(f"{observation.recipe[:KEY_CHARACTERS]}-"):
        return f"its id does not begin with its recipe {observation.recipe[:KEY_CHARACTERS]}"
    if observation.cell.failure != file.parent.name:
        return f"is an observation of {observation.cell.failure}"
    return None


def verify(store: Store) -> tuple[int, list[str]]:
    """How many observations the store holds, and everything that is wrong with it, each with its file."""
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
    try:
        list(AnswerStore(store.root))
    except StoreError as error:
        problems.append(str(error))
    return count, problems


def superfluous(observations: Iterable[Observation], used: frozenset[str], keep: int = 1) -> list[Observation]:
    """What may go: all but the newest ``keep`` runs of each recipe, and never what is used.  Pure.

    A run is what one command made: its repetitions stay or go together.
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
    """Remove what is superfluous; returns what was, or would be, removed.

    ``used`` are the ids of observations that reports and answers rest on.  Raises StoreError before anything is
    removed if the store is damaged.
    """
    gone = superfluous(store, used, keep)
    for observation in gone if not dry else []:
        store.remove(observation)
    return gone
