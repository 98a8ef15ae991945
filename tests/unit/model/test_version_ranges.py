"""Specifiers as records write them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from repro.model.version_ranges import Specifiers, VersionRanges

RANGES: TypeAdapter[Any] = TypeAdapter(VersionRanges)


@pytest.mark.parametrize(
    "ranges",
    [
        {"torch": ">=2.2"},
        {"torch": ">=2.2", "python": ">=3.12,<3.14"},
        {"python": "==3.11.*,!=3.11.4"},
        {"python": ">=3.12.4"},
        {"torch": ">=2.2", "flash-attn": "absent"},
    ],
)
def test_accepted(ranges: dict[str, str]) -> None:
    assert RANGES.validate_python(ranges) == ranges


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ({"python": "<=3.11"}, "'<3.12' is meant"),
        ({"python": ">3.11"}, "'>=3.12' is meant"),
        ({"python": "==3.11"}, "'==3.11.*' is meant"),
        ({"python": "!=3.11"}, "'!=3.11.*' is meant"),
        ({"python": "absent"}, "every run has an interpreter"),
        ({"torch": "missing"}, "is no PEP 440 specifier such as '>=2.1.0,<2.2.2', nor 'absent'"),
        ({}, "at least 1 item"),
    ],
)
def test_refused(ranges: dict[str, str], said: str) -> None:
    """``<=3.11`` would leave out 3.11.7, which nobody means."""
    with pytest.raises(ValidationError, match=said.replace("*", r"\*")):
        RANGES.validate_python(ranges)


def test_needs_are_there() -> None:
    """What a reproduction needs cannot be absent."""
    with pytest.raises(ValidationError):
        TypeAdapter(Specifiers).validate_python("absent")
