"""Judges a successful run by what its ranks printed: a warning, or a line of output.  Pure.

The output of a rank is kept in part only.  Where it does not show the sign and is not known in full, nothing is known.
"""

from collections.abc import Collection, Sequence

from repro.model.failure import Signature
from repro.model.named_ranks import in_words, may_show, must_show
from repro.model.observation import Observation, Rank
from repro.model.pattern import is_found
from repro.model.verdict import Judgement, Verdict

_EVIDENCE = 300
"""The characters of a sign that are kept."""


def with_printed(signature: Signature, observation: Observation, passed: Judgement) -> Judgement:
    """The verdict of a run in which every rank passed its oracle, ``passed``."""
    shown = {rank.rank: found for rank in observation.ranks if (found := sign_of(rank, signature)) is not None}
    unknown = next(
        (rank for rank in observation.ranks if rank.rank not in shown and not _is_whole(rank, signature)), None
    )
    if unknown is not None:
        reason = f"rank {unknown.rank} wrote more than is kept, so that it may have printed the sign"
        return Judgement(Verdict.UNRUNNABLE, reason, rank=unknown.rank)
    if not shown:
        if observation.launcher == "warm":
            reason = "a warm rank does not print what its libraries print while they are imported"
            return Judgement(Verdict.UNRUNNABLE, reason)
        return Judgement(Verdict.ABSENT, f"{passed.reason}, and no rank printed the sign", passed.rank, passed.evidence)
    first = min(shown)
    evidence, where = shown[first]
    objection = _objection(signature, observation.ranks, shown.keys())
    if objection:
        return Judgement(Verdict.DIFFERENT, f"the sign, but {objection}", first, evidence, where)
    reason = f"every rank passed, and the sign is printed on {in_words(signature.ranks)}"
    return Judgement(Verdict.REPRODUCED, reason, first, evidence, where)


def sign_of(rank: Rank, signature: Signature) -> tuple[str, str] | None:
    """The text and the place of the sign in what a rank printed; None if it is not there."""
    if signature.is_unanswered:
        return None
    if signature.kind == "warning":
        for item in rank.warnings:
            here = item.category == signature.type and item.package == signature.library
            if here and is_found(signature.message, item.message):
                return f"{item.category}: {item.message}"[:_EVIDENCE], f"{item.file}:{item.line}"
        return None
    lines = (line for line in rank.tail.splitlines() if is_found(signature.message, line))
    found = next(lines, None)
    return None if found is None else (found.strip()[:_EVIDENCE], "")


def _is_whole(rank: Rank, signature: Signature) -> bool:
    return not (rank.more_warnings if signature.kind == "warning" else rank.tail_is_part)


def _objection(signature: Signature, ranks: Sequence[Rank], shown: Collection[int]) -> str:
    """Why not exactly the named ranks printed the sign; empty if they did."""
    for rank in ranks:
        has = rank.rank in shown
        if has and not may_show(signature.ranks, rank.rank):
            return f"rank {rank.rank} printed it too"
        if not has and must_show(signature.ranks, rank.rank):
            return f"rank {rank.rank} did not print it"
    return ""
