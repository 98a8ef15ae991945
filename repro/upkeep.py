"""Care of the store: what is in it, whether it is whole, what may go, and what a better rule says of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.catalog.loading import Catalog
from repro.errors import StoreError
from repro.observation import Observation
from repro.report.rows import Report
from repro.search.answers import Answers, Blamed, Stored, Swept
from repro.search.bisection import side_of
from repro.search.journal import Tried
from repro.store import KEY_CHARACTERS, Store, read
from repro.verdict import Judgement, is_affected, judge, merge


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
            problem = inconsistency(file, read(file))
        except StoreError as error:
            problems.append(str(error))
            continue
        if problem:
            problems.append(f"{file}: {problem}; remove or restore the file")
    try:
        list(Answers(store.root))
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


def used_by_reports(reports: Path) -> frozenset[str]:
    """The observations that the matrix or the answer of a search rests on.

    Raises StoreError if one of them cannot be read: then nothing may be removed.
    """
    used: set[str] = set()
    matrix = reports / "matrix.json"
    if matrix.is_file():
        try:
            rows = Report.model_validate_json(matrix.read_bytes()).rows
        except (OSError, ValueError):
            raise StoreError(f"{matrix}: cannot be read; write it anew with `repro report`") from None
        used.update(name for row in rows for name in row.observations)
    for answer in Answers(reports / "data"):
        used.update(name for fact in answer.all_tried for name in fact.observations)
    return frozenset(used)


def prune(store: Store, reports: Path, *, keep: int = 1, dry: bool = False) -> list[Observation]:
    """Remove what is superfluous; returns what was, or would be, removed.

    Raises StoreError before anything is removed if the store or the reports are damaged.
    """
    gone = superfluous(store, used_by_reports(reports), keep)
    for observation in gone if not dry else []:
        store.remove(observation)
    return gone


@dataclass(frozen=True)
class Changed:
    """A verdict that the rule of today gives differently."""

    what: str
    before: str
    after: Judgement


def rejudged(observations: Iterable[Observation], told: Mapping[str, str], catalog: Catalog) -> list[Changed]:
    """Every observation whose verdict is no longer the one that was told.  Pure."""
    changed = []
    for observation in observations:
        entry = catalog.entries.get(observation.cell.failure)
        before = told.get(observation.id)
        if entry is None or before is None:
            continue
        judgement = judge(entry.failure, observation)
        if judgement.verdict != before:
            changed.append(Changed(observation.id, before, judgement))
    return changed


def rejudged_answer(answer: Stored, observations: Mapping[str, Observation], catalog: Catalog) -> Stored | None:
    """A search's answer with the verdicts of today and what the record says today; None where nothing changed.  Pure.

    What the answer concludes is not searched again: a changed verdict says that it should be.
    """
    entry = catalog.entries.get(answer.failure)
    if entry is None:
        return None

    def again(fact: Tried) -> Tried:
        held = [observations[name] for name in fact.observations if name in observations]
        if not held or len(held) < len(fact.observations):
            return fact
        fact = fact.model_copy(update={"affected": is_affected(entry.failure, fact.versions)})
        judgement = merge([judge(entry.failure, observation) for observation in held]).judgement
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
    """What judging everything again came to."""

    judged: int
    untold: int
    """Observations of which no verdict was noted before."""
    changed: tuple[Changed, ...]
    answers: tuple[str, ...]
    """Searches whose evidence changed: ask them again."""


def rejudge(store: Store, catalog: Catalog) -> Rejudgement:
    """Judge all stored observations by the rule of today, and note the verdicts; nothing is run."""
    observations = {observation.id: observation for observation in store}
    told = store.told()
    known = {name: held for name, held in observations.items() if held.cell.failure in catalog.entries}
    changed = rejudged(known.values(), told, catalog)
    answers = Answers(store.root)
    outdated = []
    for answer in answers:
        renewed = rejudged_answer(answer, observations, catalog)
        if renewed is not None:
            answers.put(renewed)
            if [fact.verdict for fact in renewed.all_tried] != [fact.verdict for fact in answer.all_tried]:
                outdated.append(f"{answer.failure} {answer.slug}")
    for item in changed:
        store.tell(item.what, item.after.verdict)
    untold = [name for name in known if name not in told]
    for name in untold:
        store.tell(name, judge(catalog[known[name].cell.failure].failure, known[name]).verdict)
    return Rejudgement(len(known), len(untold), tuple(changed), tuple(outdated))
