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


@pytest.mark.parametrize(
    ("pattern", "re2", "python"),
    [
        (r"\d", "[0-9]", r"[\p{Nd}]"),
        (r"\D", "[^0-9]", r"[^\p{Nd}]"),
        (r"\w", "[A-Za-z0-9_]", r"[\p{L}\p{N}_]"),
        (r"\W", "[^A-Za-z0-9_]", r"[^\p{L}\p{N}_]"),
        (r"\s", r"[\t\n\f\r ]", r"[\s]"),
        (r"\S", r"[^\t\n\f\r ]", r"[^\s]"),
        (r"[^\D]", "[0-9]", r"[\p{Nd}]"),
        (r"[^\W]", "[A-Za-z0-9_]", r"[\p{L}\p{N}_]"),
        (r"[^\S]", r"[\t\n\f\r ]", r"[\s]"),
        (r"[\w.]", r"[A-Za-z0-9_\u{2e}]", r"[\p{L}\p{N}_\u{2e}]"),
        (r"[\s\d]", r"[\t\n\f\r 0-9]", r"[\s\p{Nd}]"),
        (r"[^\w-]", r"[^A-Za-z0-9_\u{2d}]", r"[^\p{L}\p{N}_\u{2d}]"),
        (r"[a-fA]", "[a-fA]", "[a-fA]"),
        (r"[^a]", "[^a]", "[^a]"),
        (r"[^ab]", "[^ab]", "[^ab]"),
    ],
)
def test_classes(pattern: str, re2: str, python: str) -> None:
    assert portable(pattern, Dialect.RE2).source == re2
    assert portable(pattern, Dialect.PYTHON).source == python


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a*", "a*"),
        ("a+", "a+"),
        ("a?", "a?"),
        ("a??", "a??"),
        ("a+?", "a+?"),
        ("a{2}", "a{2}"),
        ("a{2,}", "a{2,}"),
        ("a{0,3}", "a{0,3}"),
        ("[ab]+", "[ab]+"),
        (".*", r"[^\n]*"),
        ("[^a]{2}", "[^a]{2}"),
        ("(?:ab)*", "(?:ab)*"),
        ("(ab)+", "(ab)+"),
        ("(?:ab|cd)+", "(?:ab|cd)+"),
        ("(?P<x>ab){2}", "(?<x>ab){2}"),
        (r"(?:\b)+", r"(?:(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_])))+"),
        ("(a)(?:b)(?P<c>d)", "(a)b(?<c>d)"),
        ("a*b*", "a*b*"),  # one after the other
        ("(?:a{2}b*)c", "a{2}b*c"),
        ("(?:a{1,2}b){3}", "(?:a{1,2}b){3}"),  # none is endless
        ("(?:a+b){1,4}", "(?:a+b){1,4}"),  # one is
    ],
)
def test_repetitions_and_groups(pattern: str, expected: str) -> None:
    assert portable(pattern, Dialect.RE2).source == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a", "(?<![^])a"),
        ("(?m)^a", r"(?<![^\n])a"),
        ("(?m)a$", r"a(?![^\n])"),
        (r"a\b", "a(?:(?<=[W])(?![W])|(?<![W])(?=[W]))"),
        (r"a\B", "a(?:(?<=[W])(?=[W])|(?<![W])(?![W]))"),
    ],
)
def test_places(pattern: str, expected: str) -> None:
    assert portable(pattern, Dialect.RE2).source == expected.replace("W", "A-Za-z0-9_")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\Aa", "(?<![^])a"),
        (r"a\Z", "a(?![^])"),
        ("a(?=b)", "a(?=b)"),
        ("a(?!b)", "a(?!b)"),
        ("(?<=a)b", "(?<=a)b"),
        ("(?<!a)b", "(?<!a)b"),
        (r"(a)\1", r"(a)(?:\1)"),
        (r"(?P<q>a)(?P=q)", r"(?<q>a)\k<q>"),
        (r"(\w+\.)*x", r"([\p{L}\p{N}_]+\u{2e})*x"),  # ours are measured on logs
    ],
)
def test_of_our_own(pattern: str, expected: str) -> None:
    """What only Python's expressions have."""
    assert portable(pattern, Dialect.PYTHON).source == expected


@pytest.mark.parametrize(
    ("pattern", "flags", "expected"),
    [("a", 0, "u"), ("a", re.IGNORECASE, "iu"), ("(?i)a", 0, "iu"), ("(?im)^a.", 0, "iu"), ("a", re.DOTALL, "u")],
)
def test_flags(pattern: str, flags: int, expected: str) -> None:
    assert portable(pattern, Dialect.PYTHON, flags).flags == expected


def test_flags_from_outside() -> None:
    assert portable("a.", Dialect.PYTHON, re.DOTALL).source == "a[^]"
    assert portable("^a", Dialect.PYTHON, re.MULTILINE).source == r"(?<![^\n])a"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"[[:alpha:]]", "RE2 reads a part of it otherwise"),
        (r"a{,3}", "RE2 reads a part of it otherwise"),
        ("(", "missing )"),
        ("(?a)x", "a flag that JavaScript lacks"),
        ("(?s:a.)b", "flags inside of an expression"),
        ("(?-i:a)b", "flags inside of an expression"),
        ("(?:a*b*)*", "for which a browser may take for ever"),
        ("(?:(?:a+b){2,})c", "for which a browser may take for ever"),
        (r"[\w\W]", "inside of a set has no equal"),
        (r"[a\D]", "inside of a set has no equal"),
        (r"[a\S]", "inside of a set has no equal"),
        ("(?>a)", "has no equal in JavaScript"),
        ("[[a]]", "Possible nested set"),
        ("(" * 5000 + "a" + ")" * 5000, "recursion"),
    ],
)
def test_why_refused(pattern: str, words: str) -> None:
    with pytest.raises(NotPortableError, match=re.escape(words)):
        portable(pattern, Dialect.RE2)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [(r"[a\D]", r"[a\P{Nd}]"), (r"[a\S]", r"[a\S]"), (r"a{,3}", "a{0,3}")],
)
def test_only_python_can_say(pattern: str, expected: str) -> None:
    assert portable(pattern, Dialect.PYTHON).source == expected


def test_every_character() -> None:
    """Letters, digits and what means nothing stand for themselves; all else by number."""
    plain = "ABCxyz0189 _!\"#%&',:;<=>@~`"
    assert portable(re.escape(plain), Dialect.RE2).source == plain
    for character in "$()*+-./?[\\]^{|}\n\tä€":
        expected = f"\\u{{{ord(character):x}}}"
        assert portable(re.escape(character), Dialect.RE2).source == expected
        assert portable(f"[^{re.escape(character)}]", Dialect.RE2).source == f"[^{expected}]"
