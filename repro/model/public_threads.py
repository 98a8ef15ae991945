"""Failures that public threads report, without a proof of ours."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from repro.model.base import Strict
from repro.model.seen_as import SeenAs
from repro.model.version_ranges import Specifiers

Short = Annotated[str, Field(min_length=1, max_length=400)]


class Reported(Strict):
    """A failure of which a public thread speaks."""

    link: Annotated[str, Field(pattern=r"^https://github\.com/[\w.-]+/[\w.-]+/(issues|pull|discussions)/\d+$")]
    stated: dict[str, Specifiers] = {}
    """Versions that the thread states, by distribution; empty specifiers if it names the library only."""
    said: Short
    """What the thread says of cause or cure, in our own words."""
    seen_as: SeenAs

    @property
    def id(self) -> str:
        """``transformers-33620``: as our own failures are named."""
        *_, project, _kind, number = self.link.split("/")
        return f"{project.lower()}-{number}"


class ReportedFile(Strict):
    """The file ``reported.yaml`` of a catalogue."""

    format: Literal[1]
    reported: tuple[Reported, ...]

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [(item.id, item.seen_as.name) for item in self.reported]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name[0]} has two patterns named {name[1]!r}")
        return self
