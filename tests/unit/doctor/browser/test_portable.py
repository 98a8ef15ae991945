"""Expressions for a browser: what is written, and what is refused.  That they match alike is tested in Chromium."""

import re

import pytest

from repro.doctor.browser.portable import Dialect, NotPortableError, portable


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"a.b", r"a[^\n]b"),
        (r"\w+", "[A-Za-z0-9_]+"),
        (r"[^\d]", "[^0-9]"),
        (r"\S", r"[^\t\n\f\r ]"),
        (r"(?P<one>x)|yy", r"(?:(?<one>x)|yy)"),
        (r"^a$", r"(?<![^])a(?=\n?(?![^]))"),
        (r"(?:ab){2,3}?", "(?:ab){2,3}?"),
        (r"\[1/2\]", r"\u{5b}1\u{2f}2\u{5d}"),
        (r"(?s)a.", "a[^]"),
    ],
)
def test_is_written(pattern: str, expected: str) -> None:
    assert portable(pattern, Dialect.RE2).source == expected


def test_case() -> None:
    assert portable("(?i)torch", Dialect.RE2).flags == "iu"


@pytest.mark.parametrize(
    "pattern",
    [
        r"\pL+",  # RE2's alone
        r"[[:alpha:]]+",  # Python reads a set of six characters
        r"a{,3}",  # RE2 reads text
        r"(?i:a)b",  # flags of a part
        r"\Qa.b\E",
        r"(\w+\.)*x",  # may take for ever in a browser, which goes back
    ],
)
def test_is_refused(pattern: str) -> None:
    with pytest.raises(NotPortableError):
        portable(pattern, Dialect.RE2)


def test_unicode_of_python() -> None:
    """Our own expressions are Python's, whose classes hold all letters; RE2's hold ASCII."""
    assert portable(r"\w", Dialect.PYTHON).source == r"[\p{L}\p{N}_]"
    assert portable(r"\b", Dialect.RE2).source.count("A-Za-z0-9_") == 4


def test_verbose() -> None:
    assert portable("a \\  b  # text", Dialect.PYTHON, re.VERBOSE).source == "a b"
