"""Where the verdicts of a search come from."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from repro.environments.locks import Lock
from repro.errors import EnvironmentFailure, UndecidedError
from repro.model.matrix import Environment
from repro.search.companions import Requires
from repro.store.answers import Tried


class VerdictSource(Protocol):
    """Where verdicts come from."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Make environments known by name."""

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """The first look at an environment; those named in ``ahead`` may be asked for next."""

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """Run an environment through torchrun until there are so many runs."""

    def lock(self, name: str) -> Lock:
        """The lock of an environment."""

    def requirements(self, name: str) -> Requires:
        """What each release that an environment holds requires; raises EnvironmentFailure if it cannot be built."""


class Replay:
    """A source that runs nothing: it has no answer beyond those in the log."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Nothing is built."""

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Raise UndecidedError."""
        del ahead
        raise UndecidedError(f"the log ends before {label} ({name}); go on with --resume")

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """Raise UndecidedError."""
        raise UndecidedError(
            f"the log ends before {label} ({name}) was run {runs} times through torchrun: its answer is not confirmed; "
            f"go on with --resume"
        )

    def lock(self, name: str) -> Lock:
        """Raise EnvironmentFailure."""
        raise EnvironmentFailure(f"{name} is not resolved in a replay")

    def requirements(self, name: str) -> Requires:
        """Raise EnvironmentFailure."""
        raise EnvironmentFailure(f"{name} is not built in a replay")
