"""``matrix.yaml``: the environments by name, the deny list, and which failure runs where by default."""

from datetime import date
from typing import Annotated, Literal, Self

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import AfterValidator, Field, model_validator

from repro.model.base import FileName, Strict
from repro.model.version import parsed_version


def _version(text: str) -> str:
    if parsed_version(text) is None:
        raise ValueError(f"{text!r} is no version")
    return text


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date such as '2024-03-28'") from None
    return text


VersionText = Annotated[str, AfterValidator(_version)]
Day = Annotated[str, AfterValidator(_day)]


class Denied(Strict):
    """A release that must never be installed."""

    distribution: str
    version: VersionText
    reason: Annotated[str, Field(min_length=10)]
    date: Day


class Environment(Strict):
    """A named set of pins; its lock holds the whole resolution."""

    python: Annotated[str, Field(pattern=r"^3\.\d+$")] = "3.11"
    cutoff: Day
    """Distributions uploaded after this day are not seen by the resolver."""
    cutoffs: dict[str, Day] = {}
    """Other days for single distributions, where one pin is younger than the others."""
    pins: dict[str, VersionText] = {}
    floating: tuple[str, ...] = ()
    """Distributions without a pin: the newest release that the cut-off day allows."""
    preferred: dict[str, VersionText] = {}
    """Versions that the resolver keeps wherever the pins allow, instead of the newest ones: a search moves one
    package and leaves the others where they are."""
    why: str

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.pins and not self.floating:
            raise ValueError("an environment needs pins, or names under floating")
        return self


class Runs(Strict):
    """Where a failure runs by default."""

    environments: Annotated[tuple[str, ...], Field(min_length=1)]
    backports: dict[str, tuple[str, ...]] = {}
    """Environment -> backports that run there too."""


class Matrix(Strict):
    """The whole file."""

    format: Literal[1]
    deny: tuple[Denied, ...] = ()
    environments: dict[FileName, Environment]
    runs: dict[FileName, Runs]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, environment in self.environments.items():
            for distribution, version in environment.pins.items():
                if denied := self.denied(distribution, version):
                    raise ValueError(f"environment {name!r} pins {distribution} {version}: denied, {denied.reason}")
        return self

    def over(self, base: "Matrix") -> "Matrix":
        """This matrix with the environments of another one behind its own, and the deny lists of both."""
        environments = {**base.environments, **self.environments}
        deny = self.deny + tuple(entry for entry in base.deny if entry not in self.deny)
        return Matrix(format=1, deny=deny, environments=environments, runs=self.runs)

    def denied(self, distribution: str, version: str) -> Denied | None:
        """The deny-list entry of a release, if there is one."""
        return next(
            (
                entry
                for entry in self.deny
                if canonicalize_name(entry.distribution) == canonicalize_name(distribution)
                and Version(entry.version) == parsed_version(version)
            ),
            None,
        )
