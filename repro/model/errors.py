"""Exceptions that reach the user as one clear line, without a traceback.

ReproError            base; caught once, in the command line
  UsageError          a name or value that the user gave is wrong
  RecordError         a record, the matrix or a lock is wrong: all faults at once
  UnreadableFileError a file that was named cannot be read as text
  EnvironmentFailure  an environment cannot be resolved, built or used: its cells are unrunnable
  StoreError          an observation cannot be read or written
  ContradictionError  an end of a search shows the opposite of what was claimed
  UndecidedError      an end of a search has no conclusive verdict, or both ends show the same
  StoppedError        Ctrl-C, or SIGTERM
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self


class Exit(IntEnum):
    """The exit codes of every command, with the meaning that help, README and docs/ show."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made

    OK = 0, "all as documented"
    CHANGED = 1, "something is not as documented, or a failure was found"
    USAGE = 2, "wrong usage, or a wrong record, matrix or lock"
    UNKNOWN = 3, "something could not be run, read or decided"
    INTERRUPTED = 130, "interrupted; finished runs are stored"


def exit_of(*, changed: bool = False, unknown: bool = False) -> Exit:
    """The exit code of a command that has run to its end: a change outweighs what could not be decided."""
    if changed:
        return Exit.CHANGED
    return Exit.UNKNOWN if unknown else Exit.OK


class ReproError(Exception):
    """Base of all errors that the user sees as one message."""

    exit_code = Exit.USAGE


class UsageError(ReproError):
    """A name or a value given by the user is wrong."""


class UnreadableFileError(ReproError):
    """A file cannot be read as text; ``problem`` says why, without the file's name."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file}: {problem}")
        self.problem = problem


class EnvironmentFailure(ReproError):  # noqa: N818 - "EnvironmentError" is a builtin of another meaning
    """An environment cannot be resolved, built or used; the message is the cause in one line."""

    exit_code = Exit.UNKNOWN


class NoPythonError(EnvironmentFailure):
    """This machine has no interpreter of the Python that an environment needs: its cells are not run here."""

    def __init__(self, series: str) -> None:
        super().__init__(f"no Python {series} here")


class SourceError(EnvironmentFailure):
    """A development version cannot be fetched or built: no network, no such revision, or another wheel."""

    exit_code = Exit.USAGE


class StoreError(ReproError):
    """A stored observation cannot be read or written."""

    exit_code = Exit.UNKNOWN


class ContradictionError(ReproError):
    """An end of a search shows the opposite of what was claimed: the question is wrong, or the record is."""


class UndecidedError(ReproError):
    """A search cannot begin: one of its ends has no conclusive verdict."""

    exit_code = Exit.UNKNOWN


class StoppedError(ReproError):
    """The command was interrupted."""

    exit_code = Exit.INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted; no rank is left running, finished runs are stored")


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong in a file, and what to do about it."""

    file: Path
    line: int
    key: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}: {self.key}: {self.problem}{remedy}" if self.key else f"{where}: {self.problem}{remedy}"


class RecordError(ReproError):
    """A record, the matrix or a lock is wrong."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in sorted(faults)))
        self.faults = tuple(sorted(faults))


def nearest(name: str, valid: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the closest valid name, else the list of valid names."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid: {', '.join(names)}" if names else "none is defined"


def unknown(what: str, name: str, valid: Iterable[str]) -> UsageError:
    """The error for a misspelt name."""
    return UsageError(f"no {what} {name!r}; {nearest(name, valid)}")
