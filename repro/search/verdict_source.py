"""The interface between a search and what runs its environments."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from repro.environments.locks import Lock
from repro.model.errors import EnvironmentFailure, UndecidedError
from repro.model.matrix import Environment
from repro.search.companions import Requires
from repro.store.answers import Tried


class VerdictSource(Protocol):
    """A source of verdicts."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Register environments by name."""

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Run an environment for the first time; those in ``ahead`` may be needed next."""

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """Run an environment through torchrun until there are this many runs."""

    def lock(self, name: str) -> Lock:
        """The lock of an environment."""

    def requirements(self, name: str) -> Requires:
        """The requirements of each release in an environment; raises EnvironmentFailure if it cannot be built."""


class Replay:
    """A source that runs nothing and has only the answers in the log."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Nothing is built."""

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Raise UndecidedError."""
        del ahead
        raise UndecidedError(f"the log ends before {label} ({name}); continue with --resume")

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """Raise UndecidedError."""
        raise UndecidedError(
            f"the log ends before {label} ({name}) was run {runs} times through torchrun: its answer is not confirmed; "
            f"continue with --resume"
        )

    def lock(self, name: str) -> Lock:
        """Raise EnvironmentFailure."""
        raise EnvironmentFailure(f"{name} is not resolved in a replay")

    def requirements(self, name: str) -> Requires:
        """Raise EnvironmentFailure."""
        raise EnvironmentFailure(f"{name} is not built in a replay")
