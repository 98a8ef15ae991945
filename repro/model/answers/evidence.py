"""Answers of ``ablate``, ``claims``, ``draft`` and ``summary``: what runs show."""

from typing import Annotated

from pydantic import ConfigDict, Field

from repro.model.answers.base import Answer
from repro.model.base import Strict
from repro.model.cell import Cell
from repro.model.failure import ClaimFinding, ClaimKind
from repro.model.verdict import Verdict


class FactorAnswer(Strict):
    """What flipping one factor does."""

    name: str
    default: str
    alone: dict[str, Verdict]
    """Other value -> verdict, with all other factors at their defaults."""
    necessary: bool
    """With every other value, alone, the failure does not show."""
    irrelevant: bool
    """The verdict is the same in all pairs of rows that differ in this factor alone."""


class AblationAnswer(Answer):
    """``repro ablate --json``."""

    failure: str
    environment: str
    factors: tuple[FactorAnswer, ...]
    smallest: tuple[dict[str, str], ...]
    """The smallest sets of default values with which every row shows the failure; several may tie."""
    undecided: int
    """Rows without a conclusive verdict."""


class EvidenceAnswer(Strict):
    """One prediction of a claim, compared with its run."""

    cell: Cell
    holds: bool | None
    """None if the run is not conclusive."""
    why: str


class ClaimAnswer(Strict):
    """One claim of a record."""

    id: str
    kind: ClaimKind
    statement: str
    published: ClaimFinding
    """The finding that the record states."""
    finding: ClaimFinding | None
    """The finding of these runs; None if they do not decide it."""
    evidence: tuple[EvidenceAnswer, ...]


class ClaimsAnswer(Answer):
    """``repro claims --json``."""

    failures: dict[str, tuple[ClaimAnswer, ...]]


class DraftAnswer(Answer):
    """``repro draft --json``."""

    model_config = ConfigDict(populate_by_name=True)

    failure: str
    tracker: Annotated[str, Field(alias="for")]
    """As ``--for`` takes it."""
    environment: str
    folder: str
    files: tuple[str, ...]
    characters: int
    """Of the body of the issue."""
    address: str
    """The address that opens the form, filled in as far as it can be."""
    address_fields: tuple[str, ...]
    """The fields that the address fills in."""
    notes: tuple[str, ...]
    """What to check before the issue is filed."""


class CauseAnswer(Strict):
    """Cells that are not as documented for one reason."""

    slug: str
    """The same for the same cause in every run."""
    title: str
    status: str
    cells: tuple[Cell, ...]


class SummaryAnswer(Answer):
    """``repro summary --json``."""

    cells: int
    run: int
    causes: tuple[CauseAnswer, ...]
    not_run: tuple[Cell, ...]
