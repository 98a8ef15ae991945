"""A text that describes an environment, and the decoding of its bytes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Read = Callable[[Path], str]
"""Reads a file that a text includes; raises UsageError."""
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class Document:
    """A text with its file and the function that reads files beside it."""

    file: Path
    text: str
    read: Read


def decoded(content: bytes) -> str | None:
    """The text of bytes in any encoding that editors and shells write; None if they are not text.

    A byte order mark decides.  Without one, NUL bytes mean UTF-16, and bytes that are not UTF-8 are Latin-1.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None) or _unmarked(content)
    for name in (encoding, "latin-1"):
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        # Text pasted from a terminal may hold escape sequences; they are removed, not refused.
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).removeprefix("\ufeff")
        # Pages and chats write spaces that do not break.
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
        return None if _CONTROL.search(text) else text
    return None


def _unmarked(content: bytes) -> str:
    sample = content[:4096]
    if sample.count(0) * 3 > len(sample) > 1:
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    return "utf-8"
