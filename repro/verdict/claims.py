"""Judges claims by their evidence.  Pure."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.model.cell import Cell, make_cell
from repro.model.errors import Exit, exit_of
from repro.model.failure import WORLD_SIZE, Claim, ClaimFinding, Evidence, Failure, Prediction, Survey, comparison
from repro.model.verdict import Verdict
from repro.verdict.result import Result

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": lambda found, wanted: wanted in found,
    "lacks": lambda found, wanted: wanted not in found,
}


@dataclass(frozen=True)
class CheckedEvidence:
    """One prediction of a claim, compared with its run."""

    evidence: Evidence
    cell: Cell
    result: Result | None
    holds: bool | None
    """None if the run is not conclusive."""
    why: str


@dataclass(frozen=True)
class ExaminedClaim:
    """A claim with its evidence and the resulting finding; None if undecided."""

    claim: Claim
    weighed: tuple[CheckedEvidence, ...]
    finding: ClaimFinding | None

    @property
    def as_published(self) -> bool | None:
        """True if the finding is the published one; None if undecided."""
        return None if self.finding is None else self.finding is self.claim.verdict


def cell_of(failure: Failure, evidence: Evidence) -> Cell:
    """The cell of a prediction; raises UsageError for names that are not in the record."""
    factors = dict(evidence.factors)
    if evidence.world_size is not None:
        factors[WORLD_SIZE] = str(evidence.world_size)
    return make_cell(
        failure,
        evidence.environment,
        lane=evidence.lane,
        backport=evidence.backport,
        factors=factors,
        roles=evidence.roles,
    )


def cells_of(failure: Failure) -> list[Cell]:
    """Every cell of a claim or a survey, each once, in the record's order."""
    cells = [cell_of(failure, evidence) for claim in failure.claims for evidence in claim.evidence]
    cells += [cell for survey in failure.surveys for row in survey_cells(failure, survey) for cell in row]
    return list({cell.label: cell for cell in cells}.values())


def survey_cells(failure: Failure, survey: Survey) -> list[list[Cell]]:
    """The cells of a survey: a list for each row, with one cell for each environment."""
    return [
        [make_cell(failure, name, backport=row.backport, factors=row.factors) for name in survey.environments]
        for row in survey.rows
    ]


def measurements(result: Result) -> dict[str, Any]:
    """The measurements of the newest run; for each name, that of the lowest rank."""
    found: dict[str, Any] = {}
    for rank in reversed(result.newest.ranks):
        found.update(rank.measured)
    return found


def weigh(failure: Failure, evidence: Evidence, result: Result | None) -> CheckedEvidence:
    """Decide whether a prediction holds."""
    cell = cell_of(failure, evidence)
    holds, why = _holds(evidence, result)
    return CheckedEvidence(evidence, cell, result, holds, why)


def _holds(evidence: Evidence, result: Result | None) -> tuple[bool | None, str]:
    if result is None:
        return None, "not run"
    if result.verdict in {Verdict.UNRUNNABLE, Verdict.FLAKY}:
        return None, f"{result.verdict}: {result.judgement.reason}"
    if evidence.predicts is not Prediction.ANY and evidence.predicts.value != result.verdict.value:
        return False, f"{result.verdict} where {evidence.predicts} is predicted"
    found = measurements(result)
    for name, text in evidence.measured.items():
        if name not in found:
            return None, f"{name} was not measured"
        symbol, wanted = comparison(text)
        try:
            fits = _COMPARE[symbol](found[name], wanted)
        except TypeError:
            return None, f"{name} is {found[name]!r}, which cannot be compared by {text}"
        if not fits:
            return False, f"{name} is {found[name]!r} where {text} is predicted"
    return True, str(result.verdict)


def finding_of(weighed: Sequence[CheckedEvidence]) -> ClaimFinding | None:
    """Confirmed if all predictions hold, refuted if none does, else partly; None while one is undecided."""
    if not weighed:
        return ClaimFinding.UNTESTABLE
    held = [item.holds for item in weighed]
    if None in held:
        return None
    if all(held):
        return ClaimFinding.CONFIRMED
    return ClaimFinding.PARTLY if any(held) else ClaimFinding.REFUTED


def examine(failure: Failure, results: Mapping[str, Result]) -> list[ExaminedClaim]:
    """Examine every claim of a record with the results, by cell label."""
    examined = []
    for claim in failure.claims:
        weighed = tuple(
            weigh(failure, evidence, results.get(cell_of(failure, evidence).label)) for evidence in claim.evidence
        )
        examined.append(ExaminedClaim(claim, weighed, finding_of(weighed)))
    return examined


def exit_code_of(examined: Iterable[ExaminedClaim]) -> Exit:
    """``CHANGED`` if a finding is not the published one, else ``UNKNOWN`` if one is undecided."""
    findings = [item.as_published for item in examined]
    return exit_of(changed=False in findings, unknown=None in findings)
