"""Finds the open questions of a scaffold; each one is a fault."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from repro.files import read_text_file
from repro.model.base import Location
from repro.model.errors import Fault, UnreadableFileError
from repro.model.failure import PLACEHOLDER

_MARK = "# question: "
_QUESTION = re.compile(rf"^\s*{_MARK}(?P<asked>.*?)(?: -> (?P<example>.*))?$")
_PLACEHOLDER = re.compile(rf"\b{PLACEHOLDER}\b")


def unanswered(file: Path) -> Iterator[Fault]:
    """The unanswered questions of a file, in order; in YAML, each with the key that it asks for.

    A file that is missing or is not text has none; that is reported elsewhere.
    """
    try:
        text = read_text_file(file)
    except UnreadableFileError:
        return
    if _MARK not in text and PLACEHOLDER not in text:
        return
    lines = text.splitlines()
    keys = _keys(file) if file.suffix == ".yaml" else {}
    asked: Fault | None = None
    for number, line in enumerate(lines, start=1):
        question = _QUESTION.match(line)
        if question is None and not _PLACEHOLDER.search(line.partition("#")[0]):
            asked = None if line.strip() else asked
            continue
        at = _next(keys, number)
        if question:
            example = f"e.g. {question['example']}; " if question["example"] else ""
            remedy = f"{example}answer it and remove this line"
            asked = Fault(file, number, _format_location(at), f"not answered: {question['asked']}", remedy)
        elif asked is not None:  # the question above is about this line
            asked = None
            continue
        yield asked or Fault(
            file, number, _format_location(at), f"{PLACEHOLDER} stands for what is not written", "write it"
        )


def unanswered_in(files: Iterable[Path]) -> Iterator[Fault]:
    """The unanswered questions of several files."""
    for file in files:
        yield from unanswered(file)


def files_with_questions(folder: Path) -> list[Path]:
    """The files of a failure's folder that may ask questions, the record first."""
    files = (path for path in folder.iterdir() if path.suffix in {".yaml", ".py"})
    return sorted(files, key=lambda path: (path.suffix != ".yaml", path))


def first_question(folder: Path) -> Fault | None:
    """The first open question of a failure's folder, or None."""
    return next(unanswered_in(files_with_questions(folder)), None)


def _keys(file: Path) -> dict[int, Location]:
    """The outermost key of each line that has one."""
    from repro.catalog.yaml_reader import lines_of  # noqa: PLC0415 - slow, and most files have no question

    found: dict[int, Location] = {}
    for at, line in lines_of(file).items():
        if at and (line not in found or len(at) < len(found[line])):
            found[line] = at
    return found


def _next(keys: dict[int, Location], line: int) -> Location:
    """The key on a line, or the first one after it."""
    return keys[min((number for number in keys if number >= line), default=0)] if keys and max(keys) >= line else ()


def _format_location(at: Location) -> str:
    return ".".join(str(part) for part in at)
