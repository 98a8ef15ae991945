"""A signature from a log that somebody kept: its last traceback."""

import re
from pathlib import Path

from repro.errors import UsageError
from repro.files import read_text_file
from repro.model.failure import Signature
from repro.model.observation import Frame, Origin, Raised
from repro.verdict.learn import signature_of

LOG_BYTES = 32 << 20
_PREFIX = re.compile(
    r"^\s*(?:\[[^\]\n]{0,60}\]:?\s?|\d{4}-\d\d-\d\d[T ][\d:.,]+\s+)*\[?(?:rank|default)(?P<rank>\d+)\]?:\s?"
)
_FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_END = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_HEAD = "Traceback (most recent call last):"
_SITE = re.compile(r".*/(?:site|dist)-packages/(?P<path>.+)$")
_STDLIB = re.compile(r".*/lib/python3\.\d+/|^<frozen ")


def signature_in(file: Path) -> Signature:
    """The signature of the last traceback of a log; raises UsageError if it shows none.

    The ranks are not taken from it: a log seldom holds the output of all of them.
    """
    found = last_traceback(read_text_file(file, LOG_BYTES))
    if found is None:
        raise UsageError(f"{file}: shows no traceback of Python: {_HEAD!r}, frames and an error are expected")
    return signature_of(found, "any")


def last_traceback(text: str) -> Raised | None:
    """The last traceback of a text that ends with an error; the output of several ranks may be interleaved."""
    found: Raised | None = None
    open_: dict[str, list[Frame] | None] = {}
    for raw in text.splitlines():
        prefix = _PREFIX.match(raw)
        rank = prefix["rank"] if prefix else ""
        line = raw[prefix.end() :] if prefix else raw
        frames = open_.get(rank)
        if line.strip() == _HEAD:
            open_[rank] = []
            continue
        if frames is None:
            continue
        frame = _FRAME.match(line)
        if frame:
            frames.append(_frame(frame["file"], frame["function"], int(frame["line"][:9])))
            continue
        end = _END.match(line)
        if end and frames:
            kind = end["type"].rpartition(".")[2]
            # What torchrun says of its child is no error of the script.
            if kind != "ChildFailedError":
                found = Raised(type=kind, module="", message=end["message"] or "", frames=tuple(frames))
            open_[rank] = None
    return found


def _frame(file: str, function: str, line: int) -> Frame:
    library = _SITE.match(file)
    if library:
        return Frame(origin=Origin.LIBRARY, file=library["path"], function=function, line=line)
    origin = Origin.STDLIB if _STDLIB.match(file) else Origin.SCRIPT
    return Frame(origin=origin, file=file, function=function, line=line)
