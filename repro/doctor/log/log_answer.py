"""What ``repro doctor --log`` answers: models only."""

from enum import StrEnum
from typing import Literal

from repro.model.base import Strict

RULE = 1
"""The version of the rule that compares: raised whenever it may give another answer for the same log."""


class Answer(StrEnum):
    """What is said of a log."""

    KNOWN = "known"
    COULD_BE = "could be"
    REPORTED = "reported, unproved"
    CONSEQUENCES = "consequences only"
    NEW = "new"
    NOTHING = "no error found"


class FoundFailure(Strict):
    """One failure that the log may show."""

    id: str
    title: str
    answer: Literal["known", "could be", "reported, unproved"]
    pattern: str
    """Which of the failure's ``seen_as``."""
    line: int
    rank: str | None
    ranks: int
    shown: str
    """The line of the log, redacted."""
    because: tuple[str, ...]
    but: tuple[str, ...] = ()
    refused: bool = False
    """True if the log shows the clear error of a release that refuses the configuration."""
    versions: str
    """What the versions say, in a few words."""
    cures: tuple[str, ...] = ()
    links: tuple[str, ...]
    said: str = ""
    """Of a reported failure: what the thread says; of a release that it names."""


class NearFailure(Strict):
    """A documented failure that the log does not show, and how it differs."""

    id: str
    title: str
    differs: tuple[str, ...]


class SeenError(Strict):
    """One error of the log."""

    line: int
    rank: str | None
    ranks: int
    text: str
    """Redacted, in one line."""
    consequence: bool
    """True if it only reports that another rank or process failed."""
    stack: bool = False
    """True if it is a stack: nothing was raised."""
    after: int | None = None
    """The line of the error that it came from, or while handling which it was raised."""


class LogAnswer(Strict):
    """The answer of ``repro doctor --log --json``."""

    format: Literal[1] = 1
    rule: int = RULE
    """The version of the rule that compares a log with the records."""
    source: str
    answer: Answer
    lines: int
    """Of the log."""
    versions: dict[str, str] = {}
    """Of the distributions that the records speak of, if they are certain."""
    python: str | None = None
    found: tuple[FoundFailure, ...] = ()
    """The most certain first."""
    errors: tuple[SeenError, ...] = ()
    """In the order of the log: the first one that is no consequence is the cause, as far as the log shows it."""
    consequences: int = 0
    """Lines and errors that only report that another rank or process failed."""
    left_out: int = 0
    """Errors in the middle of the log that were not read."""
    nearest: tuple[NearFailure, ...] = ()
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    """What to do now, a sentence each."""
