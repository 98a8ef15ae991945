"""Specifiers as records write them."""

from typing import Annotated

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import Version
from pydantic import AfterValidator, Field

from repro.model.specifiers import ABSENT, PYTHON


def _specifiers(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is no PEP 440 specifier such as '>=2.1.0,<2.2.2'") from None
    return text


def _range(text: str) -> str:
    """Specifiers, or ``absent``."""
    try:
        return text if text == ABSENT else _specifiers(text)
    except ValueError as error:
        raise ValueError(f"{error}, nor {ABSENT!r}") from None


def _of_python(ranges: dict[str, str]) -> dict[str, str]:
    """Refuse what is never meant of Python: ``<=3.11`` leaves out 3.11.7, and every run has an interpreter."""
    text = ranges.get(PYTHON, "")
    if text == ABSENT:
        raise ValueError("python: every run has an interpreter: a range such as '<3.12' is expected")
    for clause in SpecifierSet(text):
        if clause.operator in _OF_FULL_VERSIONS and not clause.version.endswith(".*"):
            series = Version(clause.version)
            if len(series.release) < len(("major", "minor", "micro")):
                raise ValueError(f"python: '{clause}' is not about {series}.1: {_meant(clause, series)} is meant")
    return ranges


_OF_FULL_VERSIONS = {"<=", ">", "==", "!="}
"""Operators that mean another thing for 3.11 than for the releases 3.11.0, 3.11.1 and so on."""


def _meant(clause: Specifier, series: Version) -> str:
    if clause.operator in {"==", "!="}:
        return f"'{clause.operator}{series}.*'"
    *kept, last = series.release
    after = ".".join(str(part) for part in (*kept, last + 1))
    return f"'<{after}'" if clause.operator == "<=" else f"'>={after}'"


Specifiers = Annotated[str, AfterValidator(_specifiers)]
Range = Annotated[str, AfterValidator(_range)]
VersionRanges = Annotated[dict[str, Range], Field(min_length=1), AfterValidator(_of_python)]
"""Specifiers by distribution; all of them must hold.  ``python`` is the interpreter; ``absent`` in the place of a
specifier holds where the distribution is not installed."""
