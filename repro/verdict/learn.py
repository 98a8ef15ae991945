"""Learns the signature of a script's failure from failing runs.  Pure.

The signature consists of the exception's type, its message with volatile parts generalised, the function and package
of the innermost library frame (or the script's own function, if that raised), and the ranks.  For a process that
ended without an exception it is the signal or exit code, for a hang the functions in which the ranks wait.

Runs that are no evidence about the library are refused: a limit of the machine, a missing package, a lost peer.
"""

import re
from collections.abc import Sequence

from repro.model.errors import ContradictionError, UndecidedError
from repro.model.failure import Signature
from repro.model.named_ranks import in_words
from repro.model.observation import Frame, Observation, Origin, Raised, Rank
from repro.model.pattern import PATTERN_CHARACTERS
from repro.model.script_failure import ANY_EXIT, ScriptFailure, with_signature
from repro.model.verdict import Judgement, Verdict
from repro.verdict.judge import failed_itself, judge
from repro.verdict.script_run import ending
from repro.verdict.signature import owner_of, shows, why_not_still

MESSAGE_CHARACTERS = 160
"""The most characters of the first line of a message that are kept."""

_SPECIAL = re.compile(r"[\\.^$*+?()\[\]{}|]")
_VOLATILE = re.compile(
    r"""(?P<address>0x[0-9a-fA-F]+)
    | (?P<path>(?:~|<[a-z]+>)?(?:/[\w.@+~-]+)+/?|<[a-z]+>)
    | (?P<shape>[\[(]\s*-?\d[\d\s,.x-]*[\])])
    | (?P<hash>\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}\b)
    | (?P<number>(?<![A-Za-z_])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)""",
    re.VERBOSE,
)
_CLASSES = {
    "address": "0x[0-9a-fA-F]+",
    "path": r"[^\s'\"]+",
    "shape": r"[\[(][-0-9\s,.x]*[\])]",
    "hash": "[0-9a-f]+",
    "number": r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?",
}


def generalise(message: str) -> str:
    """A pattern for the first line of a message that allows other numbers, shapes, paths, hashes and addresses."""
    lines = [line for line in message.splitlines() if line.strip()]
    if not lines:
        return r"^\s*$"
    first = lines[0].strip()
    cut = MESSAGE_CHARACTERS
    while True:
        pattern = r"^\s*" + _generalised(first[:cut])
        if len(pattern) <= PATTERN_CHARACTERS:
            return pattern
        cut //= 2


def _generalised(text: str) -> str:
    made, at = [], 0
    for found in _VOLATILE.finditer(text):
        made += [_escaped(text[at : found.start()]), _CLASSES[str(found.lastgroup)]]
        at = found.end()
    return "".join([*made, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


def signature_of(error: Raised, ranks: int | str = "any") -> Signature:
    """The signature of one exception: by its library frame, or by the script's own function if that raised."""
    owner = owner_of(error)
    facts = {"type": error.type, "message": generalise(error.message), "ranks": ranks}
    if owner is not None and owner.origin is Origin.LIBRARY:
        return Signature.model_validate({**facts, "library": owner.package, "function": owner.function})
    return Signature.model_validate({**facts, "kind": "script", "function": owner.function if owner else ""})


def learn(failure: ScriptFailure, observations: Sequence[Observation]) -> Signature:
    """The signature that all these runs show; there is at least one, and all are of one environment.

    Raises ContradictionError if a run does not fail, UndecidedError if it shows no failure of the script or if the runs
    fail in different ways.
    """
    found = [_learned(failure, observation) for observation in observations]
    first = found[0]
    for other in found[1:]:
        if other.model_copy(update={"ranks": first.ranks}) != first:
            raise UndecidedError(f"it fails in different ways: {describe(first)}; and {describe(other)}")
        if other.ranks != first.ranks:
            first = first.model_copy(update={"ranks": "any"})
    learned = with_signature(failure, first)
    for observation in observations:
        judgement = judge(learned, observation)
        if judgement.verdict is not Verdict.REPRODUCED:
            raise UndecidedError(f"it has no signature that holds: {describe(first)}, but {judgement.reason}")
    return first


def _learned(failure: ScriptFailure, observation: Observation) -> Signature:
    anyhow = failure.model_copy(update={"signature": ANY_EXIT, "rule": "exit"})
    judgement = judge(anyhow, observation)
    if judgement.verdict is Verdict.ABSENT:
        raise ContradictionError("it does not fail: every rank ended with exit code 0")
    if judgement.verdict is Verdict.REPRODUCED:
        return _of_end(anyhow, observation, judgement)
    if observation.cut_off and not observation.fault:
        return _of_hang(observation)
    evidence = f": {judgement.evidence}" if judgement.evidence else ""
    raise UndecidedError(f"it says nothing of the library: {judgement.reason}{evidence}")


def _of_end(failure: ScriptFailure, observation: Observation, judgement: Judgement) -> Signature:
    root = next(rank for rank in observation.ranks if rank.rank == judgement.rank)
    if root.error is None:
        how = ending(root)
        return Signature(
            kind="exit", type=how, ranks=_ranks([r for r in observation.ranks if ending(r) == how], observation)
        )
    signature = signature_of(root.error)
    showing = [rank for rank in observation.ranks if rank.error is not None and shows(rank.error, signature)]
    for rank in observation.ranks:
        if rank not in showing and failed_itself(rank, failure) and rank.error is not None:
            other = rank.error.line
            raise UndecidedError(f"its ranks fail in different ways: {root.error.line}; rank {rank.rank}: {other}")
    return signature.model_copy(update={"ranks": _ranks(showing, observation)})


def _ranks(showing: Sequence[Rank], observation: Observation) -> str | int:
    if len(showing) == len(observation.ranks):
        return "all"
    return showing[0].rank if len(showing) == 1 else "any"


def _of_hang(observation: Observation) -> Signature:
    """The functions in which the ranks wait: one for all, or one for a single rank and one for the others."""
    places: dict[tuple[str, str], list[int]] = {}
    for rank in observation.ranks:
        problem = why_not_still(rank)
        if problem:
            raise UndecidedError(f"it did not end within {observation.timeout} s, but rank {rank.rank} {problem}")
        frame = _waits(rank.stacks[-1])
        if frame is None:
            raise UndecidedError(
                f"it did not end within {observation.timeout} s, and rank {rank.rank} waits in no library"
            )
        places.setdefault((frame.package, frame.function), []).append(rank.rank)
    ordered = sorted(places.items(), key=lambda item: (len(item[1]), item[1]))
    (library, function), ranks = ordered[0]
    if len(ordered) == 1:
        return Signature(kind="hang", function=function, library=library, ranks="all")
    (other_library, others), _ = ordered[1]
    if len(ordered) > 2 or other_library != library:  # noqa: PLR2004 - where one stands, and where the others do
        where = "; ".join(f"rank {', '.join(map(str, held))} in {name}" for (_, name), held in ordered)
        raise UndecidedError(f"its ranks wait in several places: {where}")
    chosen: int | str = ranks[0] if len(ranks) == 1 else "any"
    return Signature.model_validate(
        {"kind": "hang", "function": function, "library": library, "ranks": chosen, "others": others}
    )


def _waits(stack: Sequence[Frame]) -> Frame | None:
    """The innermost frame of a library, below the script's last one."""
    inner = next((index for index in reversed(range(len(stack))) if stack[index].origin is Origin.SCRIPT), -1)
    return next((frame for frame in reversed(stack[inner + 1 :]) if frame.origin is Origin.LIBRARY), None)


def in_short(signature: Signature) -> str:
    """``FileNotFoundError in save_to_json of transformers``, for a title."""
    if signature.kind == "exit":
        return str(signature.type)
    where = f"{signature.function} of {signature.library or 'the script'}"
    return f"A hang in {where}" if signature.kind == "hang" else f"{signature.type} in {where}"


def describe(signature: Signature) -> str:
    """``FileNotFoundError in save_to_json of transformers, on rank 0 only``."""
    ranks = "on some ranks" if signature.ranks == "any" else f"on {in_words(signature.ranks)}"
    if signature.kind == "hang":
        others = f", the others in {signature.others}" if signature.others else ""
        return f"a hang in {signature.function} of {signature.library}, {ranks}{others}"
    if signature.kind == "exit":
        return f"{signature.type}, {ranks}"
    where = f" of {signature.library}" if signature.library else " of the script"
    return f"{signature.type} in {signature.function}{where}, {ranks}, message {signature.message}"
