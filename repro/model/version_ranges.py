"""Specifiers as records write them."""

from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, Field


def _specifiers(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is no PEP 440 specifier such as '>=2.1.0,<2.2.2'") from None
    return text


Specifiers = Annotated[str, AfterValidator(_specifiers)]
VersionRanges = Annotated[dict[str, Specifiers], Field(min_length=1)]
"""Specifiers by distribution; all of them must hold."""
