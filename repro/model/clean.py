"""Removes control characters from untrusted text before it reaches a terminal, Markdown, HTML or XML.

Titles, evidence, ids and names may hold escape sequences, which a terminal would obey: they could hide lines, rename
the window or write to the clipboard.  Invisible characters that reorder text are removed too.
"""

import re
from typing import Any, TextIO

ESCAPES = re.compile(
    r"""
      (?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]                       # CSI: colours, movements
    | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,10000}(?:\x07|\x1b\\|\x9c)?  # OSC, DCS and other strings
    | \x1b[ -/]*[0-~]                                        # other sequences
    """,
    re.VERBOSE,
)
_REORDERING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_REORDERING}\ud800-\udfff\ufffe\uffff]")
REPLACEMENT = "\ufffd"


def clean(text: str) -> str:
    """The text without escape sequences; other control characters become a box.  Tabs and newlines are kept.

    The result can be printed on a terminal, encoded as UTF-8, and held by XML 1.0.
    """
    if text.isprintable():  # no character to replace, and no escape sequence: each begins with one
        return text
    return CONTROL.sub(REPLACEMENT, ESCAPES.sub("", text.replace("\r\n", "\n")))


def clean_line(text: str) -> str:
    """As ``clean``, on one line."""
    return " ".join(clean(text).split())


def escape(text: str) -> str:
    """The text with a code in place of each control or reordering character: the one that JSON has for it."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


class EscapedStream:
    """A stream that a terminal may show: no control character is written to it."""

    def __init__(self, styled: TextIO) -> None:
        self.styled = styled
        """The stream below, for a console that cleans its texts itself and writes escape sequences of its own."""

    def write(self, text: str) -> int:
        """Write the text, escaped."""
        self.styled.write(escape(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # click would write bytes there, past us, where it finds the encoding wanting
            raise AttributeError(name)
        return getattr(self.styled, name)
