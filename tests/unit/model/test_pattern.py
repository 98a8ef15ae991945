"""Regular expressions of records: linear time, plain refusals."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.model.pattern import check_pattern, is_found
from tests.unit.factories import failure


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){12}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_never_backtracks(pattern: str) -> None:
    """Expressions that take Python's ``re`` years."""
    began = time.monotonic()
    assert not is_found(check_pattern(pattern), "a" * 5_000 + "!")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "missing"),
        ("a(?=b)", "no look-around"),
        (r"(a)\1", "no back references"),
        ("(a{1,500}){1,500}", "no regular expression"),
        ("x" * 1001, "at most 1000 characters"),
        ("\ud800", "no regular expression"),
    ],
)
def test_refused(pattern: str, words: str) -> None:
    """In words, by the record's own validation."""
    with pytest.raises(ValueError, match=words):
        check_pattern(pattern)
    with pytest.raises(ValueError, match=words):
        failure(signature={"message": pattern})


def test_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """The library's own log stays silent: it would be a second line for the same fault."""
    with pytest.raises(ValueError, match="look-around"):
        check_pattern("quiet(?!)")
    assert capfd.readouterr().err == ""


def test_lone_surrogates() -> None:
    """A rank's message may hold what is no Unicode text."""
    assert is_found("broken", "\ud800 broken \udfff")


@given(
    st.sampled_from([r"^a+$", "b", r"\[1\]", r"(?s)a.*b", "a.b", r"^\w+ differ", "$", r"a\s+b", "[0-9.e-]+$"]),
    st.text(st.sampled_from(list("ab1.[] \n-e")), max_size=12) | st.text(max_size=12),
)
def test_as_python(pattern: str, text: str) -> None:
    """The plain expressions of records mean what they mean in Python, for ASCII classes."""
    assert is_found(pattern, text) == bool(re.search(pattern, text, re.ASCII))
