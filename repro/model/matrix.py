"""``matrix.yaml``: the environments by name, the deny list, and which failure runs where by default."""

import operator
from pathlib import PurePath
from typing import Annotated, Literal, Self

from packaging.utils import canonicalize_name
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    field_serializer,
    model_validator,
)

from repro.model.base import WHOLE, Day, FileName, Strict
from repro.model.development_version import SourceText, placed, read_source
from repro.model.specifiers import same_release, with_python
from repro.model.version import parsed_version


def _version(text: str) -> str:
    if parsed_version(text) is None:
        raise ValueError(f"{text!r} is no version")
    return text


VersionText = Annotated[str, AfterValidator(_version)]
PythonText = Annotated[str, Field(pattern=r"^3\.\d+$")]
USUAL_PYTHON = "3.11"
"""The Python of an environment that names none."""


class Denied(Strict):
    """A release that must never be installed."""

    distribution: str
    version: VersionText
    reason: Annotated[str, Field(min_length=10)]
    date: Day


class Environment(Strict):
    """A named set of pins; its lock holds the whole resolution."""

    python: PythonText = "3.11"
    cutoff: Day
    """Distributions uploaded after this day are not seen by the resolver."""
    cutoffs: dict[str, Day] = {}
    """Later cut-off days for single distributions whose pins are newer than the others."""
    pins: dict[str, VersionText] = {}
    floating: tuple[str, ...] = ()
    """Distributions without a pin: the newest release that the cut-off day allows."""
    prereleases: bool = False
    """Whether the resolver may choose pre-releases of the distributions under ``floating``."""
    preferred: dict[str, VersionText] = {}
    """Versions that the resolver keeps wherever the pins allow, instead of the newest ones: a search moves one
    package and leaves the others where they are."""
    sources: Annotated[dict[str, SourceText], Field(exclude_if=operator.not_)] = {}
    """Development versions: distribution -> ``git+https://HOST/PATH@REVISION``, or the path of a wheel."""
    why: str

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.pins and not self.floating and not self.sources:
            raise ValueError("an environment needs pins, sources, or names under floating")
        for name in self.sources:
            if canonicalize_name(name) == "torch" and not read_source(self.sources[name]).is_wheel:
                raise ValueError("sources: torch can come from a wheel only: no repository of it is built here")
            if canonicalize_name(name) in map(canonicalize_name, self.pins):
                raise ValueError(f"{name} has a pin and a source: one of the two is expected")
        return self

    @field_serializer("sources")
    def _without_folders(self, sources: dict[str, str], info: FieldSerializationInfo) -> dict[str, str]:
        """What is stored names no folder of a machine; this machine's own cache keeps the addresses."""
        return dict(sources) if info.context == WHOLE else self.public_sources

    @property
    def public_sources(self) -> dict[str, str]:
        """Its sources without the folders of a machine."""
        return {canonicalize_name(name): read_source(text).public for name, text in sorted(self.sources.items())}

    @property
    def versions(self) -> dict[str, str]:
        """Its pins, and its Python."""
        return with_python(self.pins, self.python)


class Floating(Strict):
    """An environment that is resolved when it runs: the newest releases of its libraries that are old enough."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    python: PythonText = "3.11"
    libraries: tuple[str, ...] = ()
    """Distributions whose newest release it takes; empty: those of the floating environment named first."""
    pins: dict[str, VersionText] = {}
    """Distributions that are held at a version."""
    cutoffs: dict[str, Day] = {}
    """As in an environment: last days for single distributions."""
    prereleases: bool = False
    """Take pre-releases of its libraries too."""
    as_of: Day | None = Field(default=None, alias="as-of")
    """Resolve as of this day instead of a few days ago: then the cooling period has no effect."""
    cooling_days: Annotated[int, Field(ge=0, le=365, alias="cooling-days")] = 2
    """A release is seen once it is so many whole days old: a malicious upload is usually found and removed by then."""
    why: str = ""


class Pair(Strict):
    """The environments of a staged run's roles, where they differ."""

    environments: Annotated[dict[str, FileName], Field(min_length=2)]
    """Role -> environment; all roles of the record."""
    backports: tuple[str, ...] = ()
    """Backports that run there too."""


class Runs(Strict):
    """Where a failure runs by default."""

    environments: Annotated[tuple[str, ...], Field(min_length=1)]
    backports: dict[str, tuple[str, ...]] = {}
    """Environment -> backports that run there too."""
    pairs: tuple[Pair, ...] = ()
    """For a failure with stages: its roles in different environments.  ``environments`` play all roles."""


class Matrix(Strict):
    """The whole file."""

    format: Literal[1]
    deny: tuple[Denied, ...] = ()
    environments: dict[FileName, Environment]
    floating: dict[FileName, Floating] = {}
    """Environments that are resolved at the run.  One with the name of a locked environment follows that one: the
    locked one holds its last committed lock."""
    runs: dict[FileName, Runs]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first = next(iter(self.floating.values()), None)
        if first is not None and not first.libraries:
            raise ValueError("floating: the environment named first needs libraries; the others take them over")
        for name, floating in self.floating.items():
            for distribution, version in floating.pins.items():
                if denied := self.denied(distribution, version):
                    raise ValueError(f"floating {name!r} pins {distribution} {version}: denied, {denied.reason}")
        for name, environment in self.environments.items():
            for distribution, version in environment.pins.items():
                if denied := self.denied(distribution, version):
                    raise ValueError(f"environment {name!r} pins {distribution} {version}: denied, {denied.reason}")
        return self

    def placed(self, folder: PurePath) -> "Matrix":
        """This matrix with the relative paths of wheels below an absolute folder."""
        changed = {
            name: held.model_copy(
                update={"sources": {package: placed(text, folder) for package, text in held.sources.items()}}
            )
            for name, held in self.environments.items()
            if held.sources
        }
        return self.model_copy(update={"environments": {**self.environments, **changed}}) if changed else self

    def over(self, base: "Matrix") -> "Matrix":
        """This matrix with the locked environments of another one behind its own, and the deny lists of both."""
        environments = {**base.environments, **self.environments}
        deny = self.deny + tuple(entry for entry in base.deny if entry not in self.deny)
        return Matrix(format=1, deny=deny, environments=environments, floating=self.floating, runs=self.runs)

    def denied(self, distribution: str, version: str) -> Denied | None:
        """The deny-list entry of a release, if there is one."""
        wanted = (distribution, version)
        return next((entry for entry in self.deny if same_release((entry.distribution, entry.version), wanted)), None)
