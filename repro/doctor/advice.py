"""The models of the answer of ``repro advise``."""

from typing import Literal

from repro.doctor.cap import Cap
from repro.doctor.upgrade import ProposedChange, Step
from repro.model.base import Strict
from repro.model.verdict import Verdict


class RefusedProposal(Strict):
    """A set of changes that was proposed and refused."""

    changes: tuple[ProposedChange, ...]
    why: str


GONE = frozenset({Verdict.ABSENT, Verdict.REJECTED})
"""The verdicts that show that a failure is gone."""


class VerifyingRun(Strict):
    """The run of one failure in a fresh environment with the changes."""

    failure: str
    verdict: Verdict
    why: str


class Remedy(Strict):
    """The smallest set of changes that cures all relevant failures."""

    changes: tuple[ProposedChange, ...]
    distance: int
    """The number of releases between the old and the new versions, summed over the packages."""
    carried: tuple[ProposedChange, ...] = ()
    """Further changes that the resolver makes."""
    ran: tuple[VerifyingRun, ...] = ()
    """The runs in a fresh environment; empty if it was not verified."""
    step: Step

    @property
    def verified(self) -> bool:
        """True if runs showed that all the failures are gone."""
        return bool(self.ran) and {item.verdict for item in self.ran} <= GONE


class RemedySearchResult(Strict):
    """The answer of a search for versions."""

    care: tuple[str, ...]
    open: tuple[str, ...] = ()
    """Relevant failures that every release has."""
    found: Remedy | None = None
    refused: tuple[RefusedProposal, ...] = ()
    left_out: tuple[str, ...] = ()
    """Installed distributions that were not given to the resolver, with the reason."""
    why_none: str = ""


class Advice(Strict):
    """The answer of ``repro advise --json``."""

    format: Literal[1] = 1
    source: str
    python: str | None
    versions: dict[str, str]
    ranges: dict[str, str] = {}
    """The specifiers of distributions without a certain version."""
    denied: tuple[str, ...] = ()
    """Releases that must not be used but are installed or pinned: one line each, with what to do."""
    notes: tuple[str, ...] = ()
    affected: tuple[str, ...]
    unknown: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    caps: tuple[Cap, ...] = ()
    sought: RemedySearchResult | None = None
