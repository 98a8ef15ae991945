"""Writes the answer of a bisection into the record."""

from collections.abc import Sequence
from pathlib import Path

from repro.catalog.amend import amend, bounds, lower_bound
from repro.model.affected import is_affected
from repro.model.errors import UsageError
from repro.model.failure import Failure
from repro.model.verdict import Side
from repro.store.answers import Bisected, Stored, lower_end_tried


def amend_record(file: Path, failure: Failure, answer: Bisected, stored: Sequence[Stored] = ()) -> str:
    """Correct the affected range of a record if it disagrees, and note a lower end that was never tried.

    ``stored`` are the answers for the failure.  Returns one line that says what was done.  Raises UsageError or
    RecordError, with the record unchanged, if the answer or the record does not allow it.
    """
    if answer.package is None:
        raise UsageError("an answer in days cannot be written into a record: bisect the package that is to blame")
    if answer.untested:
        raise UsageError("the answer is a range of releases: nothing is written into the record")
    if not answer.confirmed:
        raise UsageError("the answer was not confirmed by repeated runs: nothing is written into the record")
    fix = answer.older is Side.BAD
    bad = answer.before if fix else answer.after
    clause = f"{'<' if fix else '>='}{answer.after.label}"
    versions = bad.versions | {answer.package: bad.label}
    try:
        changes = bounds(failure, answer.package, versions, clause)
    except UsageError:
        if answer.agrees:
            return "the record agrees: nothing to write"
        raise
    ((place, specifiers),) = [(at, value) for at, value in changes.items() if at[0] == "affected"]
    if answer.agrees:
        changes = {}
        specifiers = failure.affected[int(place[1])][answer.package]
    opened = _opened(failure, answer, specifiers, stored)
    if not changes and opened == failure.open_below:
        return "the record agrees: nothing to write"
    alternatives = [dict(releases) for releases in failure.affected]
    alternatives[int(place[1])][answer.package] = specifiers
    _refuse_contradiction(failure.model_copy(update={"affected": tuple(alternatives)}), answer)
    amend(file, changes, opened)
    written = [f"{at[0]} {at[-1]} {value}" for at, value in changes.items()]
    if opened != failure.open_below:
        held = opened.get(answer.package)
        written.append(
            f"open_below {answer.package} {held}: no older release was run" if held else "open_below removed"
        )
    return f"{file}: {', '.join(written)}"


def _opened(failure: Failure, answer: Bisected, specifiers: str, stored: Sequence[Stored]) -> dict[str, str]:
    """The correct ``open_below`` of the record: a lower end is open unless an older release was run."""
    package = str(answer.package)
    others = {name: oldest for name, oldest in failure.open_below.items() if name != package}
    lowest = lower_bound(specifiers)
    if lowest is None or lower_end_tried([answer, *stored], package, lowest):
        return others
    return {**failure.open_below, package: lowest}


def _refuse_contradiction(amended: Failure, answer: Bisected) -> None:
    """Raise UsageError if the amended record would contradict a release that was run."""
    package = str(answer.package)
    for fact in answer.tried:
        if fact.side is Side.SKIP or not fact.versions:
            continue
        listed = is_affected(amended, fact.versions | {package: fact.label})
        if listed != (fact.side is Side.BAD):
            raise UsageError(
                f"{package} {fact.label} is {fact.side}, which one range cannot say together with the answer: "
                f"write the record by hand"
            )
