"""Reads a project for a set of failures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.doctor.code.code_answer import CodeAnswer
from repro.doctor.code.combined import Combined, code_answer, combine
from repro.doctor.code.decide import Reached, judge_code
from repro.doctor.code.vocabulary import Vocabulary
from repro.doctor.code.walk import read_project
from repro.doctor.diagnosis import Diagnosis
from repro.doctor.log.log_answer import LogAnswer
from repro.doctor.stack.stack import Stack
from repro.model.failure import Failure


@dataclass(frozen=True)
class ExaminedCode:
    """The findings of a project's code for a set of failures."""

    root: str
    files: int
    notes: tuple[str, ...]
    reached: tuple[Reached, ...]

    def combined(self, found: Sequence[Diagnosis] | None = None, log: LogAnswer | None = None) -> list[Combined]:
        """Combined with the findings of an environment and a log, the most important first."""
        return combine(self.reached, found, log)

    def answer(self, found: Iterable[Combined]) -> CodeAnswer:
        """The answer for scripts."""
        return code_answer(self.root, self.files, self.notes, found)


def examine_code(root: Path, failures: Sequence[Failure], stack: Stack | None = None) -> ExaminedCode:
    """Read a folder or a file; nothing is run.  Raises UsageError if it does not exist.

    ``stack`` holds the versions, if they are known, and rules out uses that only other releases have.
    """
    project = read_project(root, Vocabulary.of(failures))
    reached = tuple(judge_code(failures, project.facts, stack))
    return ExaminedCode(project.root, project.files, tuple(project.notes), reached)
