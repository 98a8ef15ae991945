"""The outline of a record: all that a diagnosis reads of it.  Light: reading one needs no model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from repro.model.specifiers import Untried

if TYPE_CHECKING:
    from repro.model.failure import Failure

Ranges = tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Outline:
    """Who has a failure, and what to do about it; each field says what that of the same name says in ``Failure``."""

    id: str
    title: str
    kind: str
    summary: str
    affected: Ranges
    earlier: tuple[tuple[str, Ranges], ...]
    refused: Ranges
    never_tried: tuple[Untried, ...]
    fixed_in: Mapping[str, str]
    needed: Mapping[str, str]
    roles: tuple[str, ...]
    depends_on_roles: bool
    judged_by: tuple[str, ...]
    may_be_absent: tuple[str, ...]
    distributions: tuple[str, ...]
    concerns: tuple[str, ...]
    cure_lines: tuple[str, ...]
    links: tuple[str, ...]

    @classmethod
    def of(cls, failure: "Failure") -> "Outline":
        """The outline of a record."""
        return cls(**{field.name: getattr(failure, field.name) for field in fields(cls)})

    @property
    def plain(self) -> dict[str, Any]:
        """Its fields, for JSON."""
        return asdict(self)

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> "Outline":
        """The outline with these fields, as ``plain`` gave them to JSON."""
        made = {name: _frozen(value) for name, value in plain.items()}
        return cls(**{**made, "never_tried": tuple(Untried(*item) for item in made["never_tried"])})


Outlined: TypeAlias = "Failure | Outline"
"""A record, or its outline: a diagnosis needs no more."""


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
