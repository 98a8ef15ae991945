"""The stack of what the user names: an interpreter, the active environment, or a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from repro.doctor.stack.interpreter import stack_of_interpreter
from repro.doctor.stack.stack import Stack
from repro.environments.interpreter import active_interpreter, distributions_of, find_interpreter
from repro.model.errors import UsageError
from repro.model.specifiers import PYTHON

if TYPE_CHECKING:
    from repro.model.outline import Outlined


def notes_of(stack: Stack) -> list[str]:
    """Notes on how the text was read, one line each."""
    lines = f"{stack.skipped} line{'s' if stack.skipped > 1 else ''}"
    skipped = [f"{lines} not understood and passed over; none names a library of the records"] if stack.skipped else []
    return [*(f"note: {note}" for note in stack.notes), *(f"note: {text}" for text in skipped)]


def interpreter_path(python: Path | None) -> Path:
    """The named interpreter, else that of the active environment; raises UsageError if there is none."""
    return find_interpreter(python) if python else active_interpreter()


def stack_from(python: Path | None, source: Path | None, failures: "Iterable[Outlined]") -> tuple[str, Stack]:
    """The name of the examined interpreter or file, and its stack.

    Raises UsageError for a file that cannot be read, EnvironmentFailure for an interpreter that does not answer.
    """
    if source and python:
        raise UsageError("--from and --python exclude one another")
    watched = sorted({name for failure in failures for name in failure.concerns if name != PYTHON})
    if source:
        from repro.doctor.stack.files import read_stack  # noqa: PLC0415 - slow, and not for an interpreter

        return str(source), read_stack(source, watched)
    executable = interpreter_path(python)
    return str(executable), stack_of_interpreter(distributions_of(executable, watched))
