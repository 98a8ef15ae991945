"""Checks that a signature is specific: that it matches only its own failure."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from repro.catalog import yaml_reader
from repro.model.base import Location, Strict
from repro.model.errors import nearest
from repro.model.failure import WORLD_SIZE, Failure, Signature
from repro.model.named_ranks import named_ranks
from repro.model.pattern import is_found
from repro.model.specifiers import PYTHON

FOREIGN = Path(__file__).parent / "foreign_errors.yaml"
_NOTHING_THERE = re.compile(r"No module named ['\"][^.'\"\\]*['\"]")
_FEW = 4
"""A message that matches more foreign errors than this, of any type, is not specific."""


class ForeignError(Strict):
    """An error of this stack that no record documents."""

    type: str
    library: str = ""
    function: str
    message: str


class ForeignErrors(Strict):
    """The file of foreign errors."""

    format: int
    errors: tuple[ForeignError, ...]


@cache
def foreign_errors() -> tuple[ForeignError, ...]:
    return yaml_reader.read_yaml(ForeignErrors, FOREIGN).errors


def signatures_of(failure: Failure) -> Iterator[tuple[Location, Signature]]:
    """Every signature of a record, with its key."""
    yield ("signature",), failure.signature
    for lane, difference in failure.differs_in.items():
        if difference.signature:
            yield ("differs_in", lane.value, "signature"), difference.signature
    for index, other in enumerate(failure.signatures):
        yield ("signatures", index, "signature"), other.signature
    for index, rejection in enumerate(failure.rejected):
        yield ("rejected", index, "signature"), rejection.signature


def problems_of(failure: Failure) -> Iterator[tuple[Location, str, str]]:
    """The problems of the conditions and the ranks of a record's signatures: key, problem and remedy."""
    for index, other in enumerate(failure.signatures):
        at: Location = ("signatures", index)
        for name in other.releases or {}:
            if name not in {*failure.concerns, PYTHON}:
                yield (*at, "releases", name), f"the record does not name {name}", nearest(name, failure.concerns)
        for name, value in other.factors.items():
            values = _values(failure, name)
            if values is None:
                known = [factor.name for factor in failure.factors]
                yield (*at, "factors", name), f"no factor {name!r}", nearest(name, known)
            elif value not in values:
                yield (*at, "factors", name), f"no value {value!r}", nearest(value, values)
    sizes = {failure.needs.world_size, *map(int, _values(failure, WORLD_SIZE) or ())}
    for at, signature in signatures_of(failure):
        if signature.is_printed and at[0] == "rejected":
            yield (*at, "kind"), "a refusal is an error, and this is only printed", "name the exception"
        beyond = [rank for rank in named_ranks(signature.ranks) if rank >= max(sizes)]
        if beyond:
            problem = f"names rank {beyond[0]}, but there are at most {max(sizes)} ranks"
            yield (*at, "ranks"), problem, f"ranks are counted from 0 to {max(sizes) - 1}"


def _values(failure: Failure, name: str) -> tuple[str, ...] | None:
    factor = failure.factor(name)
    return factor.values if factor else None


def faults_of(
    signature: Signature, foreign: Sequence[ForeignError], *, is_rejection: bool = False
) -> Iterator[tuple[str, str, str]]:
    """The problems of a signature: key, problem and remedy."""
    if signature.kind in {"exception", "import"} and not is_rejection:
        for key in ("function", "library"):
            if not getattr(signature, key):
                yield key, "is missing", f"name the {key} of the innermost library frame, as `repro run` shows it"
    if signature.kind == "import" and _NOTHING_THERE.search(signature.message):
        yield (
            "message",
            "documents a package that is missing, not two releases that do not fit",
            "name a submodule, as in 'lib.part'",
        )
    if signature.kind == "hang" and signature.ranks != "all" and not signature.others:
        yield (
            "others",
            "is missing",
            "name the function in which the other ranks wait: without it no hang is recognised",
        )
    if signature.kind == "hang" or signature.is_unanswered:
        return  # a hang has no message, and an unanswered question is reported elsewhere
    matched = [error for error in foreign if is_found(signature.message, _line_of(error, signature))]
    if len(matched) > _FEW:
        problem = f"{signature.message!r} matches nearly every error: {len(matched)} of {len(foreign)} foreign ones"
        yield "message", problem, "write the words that only this failure prints"
        return
    for error in matched:
        if _is_mistaken_for(error, signature):
            said = error.message.splitlines()[0] if error.message else "an empty message"
            yield "message", f"also matches another error: {error.type}: {said}", "write more of the message"
            return


def _line_of(error: ForeignError, signature: Signature) -> str:
    """What a signature's pattern is compared with: the message, or the line that a rank prints."""
    first, _, _ = error.message.partition("\n")
    return f"{error.type}: {first}" if signature.kind == "output" else error.message


def _is_mistaken_for(error: ForeignError, signature: Signature) -> bool:
    """True if a rank with this error would be judged as showing the failure."""
    if signature.kind == "output":
        return True  # the line would stand in the output of a rank with this error
    if error.type != signature.type:
        return False
    if signature.kind in {"assertion", "growth"}:  # in a script whose function may have any name
        return not error.library
    return signature.library in {"", error.library} and signature.function in {"", error.function}
