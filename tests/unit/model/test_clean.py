"""No control character or escape sequence passes."""

import sys
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.model.clean import CONTROL, ESCAPES, clean, clean_line


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;ZXZpbA==\x1b\\text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jx", "x"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("\x1bcx", "x"),
        ("a\x08b\x00c\x7f", "a\ufffdb\ufffdc\ufffd"),
        ("over\rwritten", "over\ufffdwritten"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("\ud800", "\ufffd"),
        ("Ärger ✗ 漢字 👍", "Ärger ✗ 漢字 👍"),
    ],
)
def test_clean(text: str, left: str) -> None:
    assert clean(text) == left


@given(st.text(st.characters(exclude_categories=())))
def test_any_text(text: str) -> None:
    """Whatever comes in: printable, encodable, and XML can hold it; cleaning twice changes nothing."""
    left = clean(text)
    assert not [character for character in left if unicodedata.category(character) == "Cc" and character not in "\t\n"]
    left.encode()
    element = ET.Element("x", {"y": left})
    element.text = left
    assert ET.fromstring(ET.tostring(element)).text == (left or None)  # noqa: S314 - our own
    assert clean(left) == left


def test_clean_line() -> None:
    assert clean_line("a\n\x1b[1mb\t c") == "a b c"


def test_every_printable_character_is_left() -> None:
    """Most texts hold nothing else, and are not searched."""
    printable = "".join(filter(str.isprintable, map(chr, range(sys.maxunicode + 1))))
    assert CONTROL.search(printable) is None
    assert ESCAPES.search(printable) is None
