"""Runs the bad end of a search for a user's script first, to learn how the script fails."""

from collections.abc import Callable, Sequence
from typing import Protocol

from repro.catalog.catalog import Catalog
from repro.model.affected import is_affected
from repro.model.errors import ContradictionError, UndecidedError
from repro.model.failure import Failure, Signature
from repro.model.observation import Observation
from repro.model.script_failure import ScriptFailure, with_signature
from repro.model.verdict import Verdict
from repro.search.log import Question, tried
from repro.store.answers import Tried
from repro.verdict.judge import judge, seen_in
from repro.verdict.learn import describe, learn
from repro.verdict.result import judge_repetitions
from repro.verdict.signature import shows

LOOKS = 2
"""The number of runs of the bad end before its signature is trusted; one of them is through torchrun."""


class Looks(Protocol):
    """Runs an environment and returns the observations, without a verdict."""

    def look(self, name: str, runs: int) -> Sequence[Observation]:
        """Run an environment this many times, at least once through torchrun."""


def bad_end(question: Question) -> int:
    """The index of the bad end."""
    return 0 if question.find_fix else len(question.points) - 1


def learn_end(
    source: Looks,
    failure: ScriptFailure,
    question: Question,
    notify: Callable[[str], None],
    given: Signature | None = None,
) -> tuple[ScriptFailure, Tried, Sequence[Observation]]:
    """The failure with its signature, the tried point, and the runs.

    If a signature is ``given``, the bad end must show it.  For a failure that is judged by exit codes nothing is
    learned, but its bad end must fail.  Raises ContradictionError if the bad end does not fail, UndecidedError if it
    fails in a way that is not a failure of the script.
    """
    index = bad_end(question)
    point, name = question.points[index], question.describe(index)
    notify(f"{name}, the bad end: {LOOKS} runs, to learn how it fails")
    observations = source.look(point.environment, LOOKS)
    if not observations:
        raise UndecidedError(f"{name}, the bad end, was not run")
    try:
        learned = _judged(failure, observations, given)
    except (ContradictionError, UndecidedError) as error:
        raise type(error)(f"{name}, the bad end: {error}") from None
    result = judge_repetitions(learned, observations)
    seconds = sum(observation.seconds for observation in observations)
    return learned, tried(point.label, point.environment, learned, result, seconds), observations


def learn_either(
    source: Looks, failure: ScriptFailure, ends: Sequence[str], notify: Callable[[str], None]
) -> ScriptFailure:
    """The failure with the signature of the first of these ends that fails.

    Raises ContradictionError if none fails, UndecidedError if an end fails in a way that is no failure of the script.
    """
    for name in ends:
        notify(f"{name}: {LOOKS} runs, to learn how it fails")
        observations = source.look(name, LOOKS)
        try:
            return _judged(failure, observations, None)
        except ContradictionError:
            notify(f"{name}: passes")
        except UndecidedError as error:
            raise UndecidedError(f"{name}: {error}") from None
    raise ContradictionError(f"the script passes with {' and with '.join(ends)}: there is nothing to blame")


def _judged(failure: ScriptFailure, observations: Sequence[Observation], given: Signature | None) -> ScriptFailure:
    if given is None and failure.rule == "signature":
        return with_signature(failure, learn(failure, observations))
    chosen = failure if given is None else with_signature(failure, given)
    for observation in observations:
        judgement = judge(chosen, observation)
        if judgement.verdict is Verdict.ABSENT:
            raise ContradictionError("it does not fail: every rank ended with exit code 0")
        if judgement.verdict is not Verdict.REPRODUCED:
            wanted = f"; {describe(given)} was expected" if given else ""
            raise UndecidedError(f"{judgement.verdict}, {judgement.reason}: {judgement.evidence}{wanted}")
    return chosen


def known_failures(catalog: Catalog, observations: Sequence[Observation]) -> list[tuple[Failure, bool]]:
    """The documented failures whose signature a run shows; True if the record covers the versions."""
    found: dict[str, tuple[Failure, bool]] = {}
    for observation in observations:
        errors = [rank.error for rank in observation.ranks if rank.error is not None]
        held = observation.installed.versions if observation.installed else {}
        for entry in catalog:
            failure = seen_in(entry.failure, observation)
            # An assertion is in the record's own script, so a user's script cannot show it.
            of_library = failure.signature.kind in {"exception", "import"}
            if of_library and any(shows(error, failure.signature) for error in errors):
                found[failure.id] = failure, is_affected(failure, held)
    return sorted(found.values(), key=lambda item: (not item[1], item[0].id))
