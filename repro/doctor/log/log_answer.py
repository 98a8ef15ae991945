"""The models of the answer of ``repro doctor --log``."""

from enum import StrEnum
from typing import Literal

from repro.model.base import Strict

RULE = 3
"""The version of the comparing rule; raised whenever it may answer differently for the same log."""


class Answer(StrEnum):
    """The kind of answer."""

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
    """The name of the matching pattern in the record's ``seen_as``."""
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
    """The judgement by versions, in a few words."""
    cures: tuple[str, ...] = ()
    links: tuple[str, ...]
    said: str = ""
    """For a reported failure: the statement of the thread."""


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
    """The error in one line, redacted."""
    consequence: bool
    """True if it only reports that another rank or process failed."""
    stack: bool = False
    """True for a stack without an exception."""
    after: int | None = None
    """The line of the error that caused it, or that was being handled when it was raised."""


class WaitingRank(Strict):
    """Of a flight recorder dump: the collective in which a rank waits, or the last one that it called."""

    rank: str | None
    file: str
    waits: bool
    """False if the rank waits in no collective; this is then its last one."""
    operation: str
    number: int
    """Its number among the calls of its process group, as the dump states it."""
    group: str
    tensors: str
    """Sizes and types of the inputs."""
    state: str
    place: int
    """Its place in the dump, from 1."""
    called_from: str
    """The innermost frame of the user's own code."""


class LogAnswer(Strict):
    """The answer of ``repro doctor --log --json``."""

    format: Literal[1] = 1
    rule: int = RULE
    """The version of the rule that compares a log with the records."""
    source: str
    answer: Answer
    lines: int
    """The number of lines of the log; of dumps, the number of their calls."""
    versions: dict[str, str] = {}
    """The versions of the distributions that records name, if they are certain."""
    python: str | None = None
    found: tuple[FoundFailure, ...] = ()
    """The most certain first."""
    errors: tuple[SeenError, ...] = ()
    """In the order of the log.  The first one that is no consequence is the cause, as far as the log shows."""
    consequences: int = 0
    """The number of lines and errors that only report that another rank or process failed."""
    left_out: int = 0
    """The number of errors in the middle of the log that were not read."""
    nearest: tuple[NearFailure, ...] = ()
    waits: tuple[WaitingRank, ...] = ()
    """If the file is a dump of a flight recorder.  The line of a found failure is then its place in the dump."""
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    """What to do next, one sentence each."""
