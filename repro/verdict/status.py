"""Expectation, status, and the merging of repeated runs.  Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from repro.model.affected import is_affected
from repro.model.cell import Cell
from repro.model.errors import Exit, exit_of
from repro.model.failure import Failure
from repro.model.specifiers import covers, releases_beside
from repro.model.stages import Roles
from repro.model.verdict import Expectation, Judgement, Status, Verdict


def expect(failure: Failure, cell: Cell, versions: dict[str, str], roles: Roles | None = None) -> Expectation:
    """What the record's specifiers say of a cell with these versions installed, and those in its other roles.

    They say nothing of a development version that lies between two releases of which only one has the failure, or only
    one refuses.
    """
    if not cell.is_default:
        return Expectation.NONE
    beside = [{**versions, **release} for release in releases_beside(failure.judged_by, versions)] or [versions]
    if len({is_affected(failure, held, roles) for held in beside}) > 1:
        return Expectation.NONE
    expected = {_expect(failure, cell, held, roles) for held in beside}
    return expected.pop() if len(expected) == 1 else Expectation.NONE


def _expect(failure: Failure, cell: Cell, versions: dict[str, str], roles: Roles | None) -> Expectation:
    if is_affected(failure, versions, roles):
        backport = failure.backport(cell.backport) if cell.backport else None
        return Expectation(backport.verdict) if backport and backport.cures else Expectation.REPRODUCED
    if any(covers(rejection.releases, versions) for rejection in failure.rejected):
        return Expectation.REJECTED
    return Expectation.ABSENT


def status(verdict: Verdict, expectation: Expectation) -> Status:
    """The status of a verdict by the expectation."""
    if verdict in {Verdict.UNRUNNABLE, Verdict.FLAKY}:
        return Status.UNKNOWN
    if expectation is Expectation.NONE:
        return Status.UNJUDGED
    if verdict.value == expectation.value:
        return Status.AS_DOCUMENTED
    if verdict is Verdict.REPRODUCED:
        return Status.RELAPSED
    if expectation is Expectation.REPRODUCED and verdict is Verdict.ABSENT:
        return Status.CURED
    return Status.DRIFTED


@dataclass(frozen=True)
class RepeatedVerdict:
    """The verdict of n runs of one cell, k of which gave the most frequent verdict."""

    judgement: Judgement
    k: int
    n: int


def merge_verdicts(judgements: Sequence[Judgement]) -> RepeatedVerdict:
    """Merge the verdicts of repeated runs: the common one if all agree, else ``flaky``, whatever the majority.

    An inconclusive run does not disagree with the others, but it is missing among them: the result is ``unrunnable``.
    """
    counts = Counter(judgement.verdict for judgement in judgements)
    (top, k), *others = counts.most_common()
    first = next(judgement for judgement in judgements if judgement.verdict is top)
    if not others:
        return RepeatedVerdict(first, k, len(judgements))
    reason = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    nothing = next((judgement for judgement in judgements if judgement.verdict is Verdict.UNRUNNABLE), None)
    if nothing is not None and len(counts) == 2:  # noqa: PLR2004 - the others agree
        shown = replace(nothing, reason=f"{reason}: {nothing.reason}")
        return RepeatedVerdict(shown, counts[Verdict.UNRUNNABLE], len(judgements))
    mixed = Judgement(Verdict.FLAKY, f"the runs disagree: {reason}", first.rank, first.evidence, first.where)
    return RepeatedVerdict(mixed, k, len(judgements))


def exit_code(statuses: Sequence[Status]) -> Exit:
    """The exit code of a command that ran cells."""
    changed = {Status.RELAPSED, Status.CURED, Status.DRIFTED} & set(statuses)
    return exit_of(changed=bool(changed), unknown=Status.UNKNOWN in statuses)
