"""Floating environments of ``matrix.yaml``, evaluated on a day.  Pure."""

from dataclasses import dataclass
from datetime import date, timedelta

from packaging.utils import canonicalize_name

from repro.model.errors import UsageError, unknown
from repro.model.matrix import Environment, Matrix

_SEPARATOR = " as of "
HELD = " with "
"""Separates a floating environment's name from the library that is held at a release."""


@dataclass(frozen=True)
class Float:
    """A floating environment on one day."""

    name: str
    """Its name in ``matrix.yaml``."""
    day: str
    """The last day whose uploads count."""
    definition: Environment

    @property
    def label(self) -> str:
        """Its name in runs: ``newest as of 2026-11-22``."""
        return f"{self.name}{_SEPARATOR}{self.day}"

    def holding(self, distribution: str, version: str) -> "tuple[str, Environment]":
        """The name and the definition of the same environment with one library held at a release."""
        kept = tuple(name for name in self.definition.floating if name != distribution)
        pins = self.definition.pins | {distribution: version}
        changes = {"floating": kept, "pins": pins, "why": f"{distribution} {version} in {self.label}"}
        return f"{self.label}{HELD}{distribution} {version}", self.definition.model_copy(update=changes)


def is_of(label: str, name: str) -> bool:
    """True if a label is that of a floating environment on any day, with nothing held."""
    begin, _, day = label.partition(_SEPARATOR)
    return begin == name and bool(day) and " " not in day


def is_held(label: str) -> bool:
    """True if a label is that of a floating environment with one library held at a release."""
    return HELD in label


def last_day(today: date, cooling_days: int) -> str:
    """The last day whose uploads are all at least this many whole days old."""
    return (today - timedelta(days=cooling_days + 1)).isoformat() if cooling_days else today.isoformat()


def libraries_of(matrix: Matrix, name: str) -> tuple[str, ...]:
    """The distributions that a floating environment watches; raises UsageError for an unknown name."""
    if name not in matrix.floating:
        raise unknown("floating environment", name, matrix.floating)
    given = matrix.floating[name].libraries or next(iter(matrix.floating.values())).libraries
    return tuple(dict.fromkeys(canonicalize_name(library) for library in given))


def float_of(matrix: Matrix, name: str, today: date) -> Float:
    """A floating environment as of today; raises UsageError for an unknown name."""
    libraries = libraries_of(matrix, name)
    stated = matrix.floating[name]
    day = stated.as_of or last_day(today, stated.cooling_days)
    if day > today.isoformat():
        raise UsageError(f"floating {name}: as-of {day} is later than {today}")
    pins: dict[str, str] = {canonicalize_name(pinned): version for pinned, version in stated.pins.items()}
    definition = Environment(
        python=stated.python,
        cutoff=day,
        cutoffs=stated.cutoffs,
        pins=pins,
        floating=tuple(library for library in libraries if library not in pins),
        prereleases=stated.prereleases,
        why=stated.why or f"{name} on {day}",
    )
    return Float(name, day, definition)
