"""Examines a packed environment laid over an interpreter."""

import sys
from dataclasses import dataclass
from pathlib import Path

from repro.doctor.stack.given import interpreter_path
from repro.doctor.stack.interpreter import stack_of_interpreter
from repro.doctor.stack.stack import Stack
from repro.environments.interpreter import Interpreter
from repro.environments.pack.overlay import lay, read_pack
from repro.model.cell import Overlaid
from repro.model.errors import UsageError


@dataclass(frozen=True)
class LaidOver:
    """An interpreter with a packed environment over it."""

    environment: Overlaid
    interpreter: Interpreter

    @property
    def where(self) -> str:
        """A description in one line."""
        return f"{self.environment.label} over {self.interpreter.executable}"

    @property
    def stack(self) -> Stack:
        """The versions that its ranks would see."""
        return stack_of_interpreter(self.interpreter.found)


def lay_over(folder: Path, name: str | None, python: Path | None, cache: Path) -> LaidOver:
    """Lay an environment of a pack over an interpreter, by default the one that runs this.

    ``name`` may be None if the pack holds one environment.  Raises UsageError for a pack that cannot be read or an
    environment that is not in it, EnvironmentFailure for an interpreter with another Python version.
    """
    pack = read_pack(folder)
    names = sorted(pack.environments)
    if name is None and len(names) != 1:
        raise UsageError(
            f"--overlay {folder}: holds {len(names)} environments; name one with --env: {', '.join(names)}"
        )
    environment = Overlaid(name or names[0])
    over = interpreter_path(python) if python else Path(sys.executable)
    return LaidOver(
        environment,
        lay(folder, pack, environment.name, over=over.absolute(), cache=cache, called=environment.label),
    )
