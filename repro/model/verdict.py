"""Verdicts, expectations and statuses."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a run showed; each run has exactly one."""

    REPRODUCED = "reproduced"
    """The documented failure, with its signature."""
    ABSENT = "absent"
    """The script ran to its end on every rank and its oracle passed."""
    REJECTED = "rejected"
    """The library refused the configuration with the documented clear error."""
    DIFFERENT = "different"
    """It failed, but not with the signature."""
    UNRUNNABLE = "unrunnable"
    """Nothing can be said: environment, import, resources, deadline, or our own fault."""
    FLAKY = "flaky"
    """Several runs of one cell disagree; never given to a single run."""


class Expectation(StrEnum):
    """What the record's specifiers say of the installed versions."""

    REPRODUCED = "reproduced"
    ABSENT = "absent"
    REJECTED = "rejected"
    NONE = "none"
    """A changed factor: the record's specifiers do not speak of it."""


class Status(StrEnum):
    """Verdict against expectation."""

    AS_DOCUMENTED = "as documented"
    RELAPSED = "relapsed"
    """A release that should be right shows the failure."""
    CURED = "cured"
    """A release listed as affected no longer shows it."""
    DRIFTED = "drifted"
    """It shows differently."""
    UNKNOWN = "unknown"
    """It could not be run, or its runs disagree."""
    UNJUDGED = "unjudged"
    """There is no expectation to compare with."""


@dataclass(frozen=True)
class Judgement:
    """A verdict and the evidence that decided it."""

    verdict: Verdict
    reason: str
    """One sentence: why this verdict and no other."""
    rank: int | None = None
    """The rank whose output decided the verdict."""
    evidence: str = ""
    """The deciding error, or what the oracle said, in one line."""
    where: str = ""
    """``lightning/pytorch/strategies/fsdp.py:560 in save_checkpoint``."""


class Side(StrEnum):
    """What a verdict means for a point of a search."""

    BAD = "bad"
    """The documented failure shows."""
    GOOD = "good"
    """It does not: the script passed, or the library refused the configuration."""
    SKIP = "skip"
    """Neither: it could not be run, its runs disagree, or it failed in another way."""

    @property
    def opposite(self) -> "Side":
        """Bad for good, good for bad."""
        return {Side.BAD: Side.GOOD, Side.GOOD: Side.BAD}.get(self, self)


_SIDES = {Verdict.REPRODUCED: Side.BAD, Verdict.ABSENT: Side.GOOD, Verdict.REJECTED: Side.GOOD}


def side_of(verdict: Verdict | None) -> Side:
    """The side of a verdict; None where there is no verdict at all."""
    return _SIDES.get(verdict, Side.SKIP) if verdict else Side.SKIP
