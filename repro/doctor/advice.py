"""What ``advise`` answers: models only."""

from typing import Literal

from repro.doctor.cap import Cap
from repro.doctor.upgrade import ProposedChange, Step
from repro.model.base import Strict
from repro.model.verdict import Verdict


class RefusedProposal(Strict):
    """A set of changes that was proposed and is not the answer."""

    changes: tuple[ProposedChange, ...]
    why: str


GONE = frozenset({Verdict.ABSENT, Verdict.REJECTED})
"""What a run shows where a failure is not there."""


class VerifyingRun(Strict):
    """What a failure showed in the fresh environment of a set of changes."""

    failure: str
    verdict: Verdict
    why: str


class Remedy(Strict):
    """The smallest set of changes that leaves none of the failures that are cared about."""

    changes: tuple[ProposedChange, ...]
    distance: int
    """Releases between the old and the new versions, summed up."""
    carried: tuple[ProposedChange, ...] = ()
    """What the resolver moves besides."""
    ran: tuple[VerifyingRun, ...] = ()
    """Runs in a fresh environment; empty where it was not verified."""
    step: Step

    @property
    def verified(self) -> bool:
        """Whether runs showed that none of the failures is left."""
        return bool(self.ran) and {item.verdict for item in self.ran} <= GONE


class RemedySearchResult(Strict):
    """The answer of a search for versions."""

    care: tuple[str, ...]
    open: tuple[str, ...] = ()
    """Cared about, and affecting every release there is."""
    found: Remedy | None = None
    refused: tuple[RefusedProposal, ...] = ()
    left_out: tuple[str, ...] = ()
    """Installed distributions that the resolver was not asked about, with the reason."""
    why_none: str = ""


class Advice(Strict):
    """The answer of ``repro advise --json``."""

    format: Literal[1] = 1
    source: str
    python: str | None
    versions: dict[str, str]
    ranges: dict[str, str] = {}
    """Specifiers of the distributions whose version is not certain."""
    denied: tuple[str, ...] = ()
    """Installed or pinned releases that must not be installed, each in one line with what to do."""
    notes: tuple[str, ...] = ()
    affected: tuple[str, ...]
    unknown: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    caps: tuple[Cap, ...] = ()
    sought: RemedySearchResult | None = None
