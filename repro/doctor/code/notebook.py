"""The code of a notebook's cells."""

import json
import re
from collections.abc import Iterator

MOST_CELLS = 5_000
_MAGIC = re.compile(r"^(\s*)[%!?].*$|^.*\?\s*$", re.MULTILINE)
_SHELL = re.compile(r"^\s*(?:!|%%?(?:bash|sh|script)\b)(.*)$", re.MULTILINE)


def code_cells(text: str) -> Iterator[tuple[int, str]]:
    """The number and source of each code cell; raises ValueError if the text is not a notebook."""
    try:
        book = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    cells = book.get("cells") if isinstance(book, dict) else None
    if not isinstance(cells, list):
        raise ValueError("holds no list of cells")  # noqa: TRY004 - the caller wants one kind
    for number, cell in enumerate(cells[:MOST_CELLS], 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            yield number, "".join(map(str, source)) if isinstance(source, list) else str(source)


def without_magics(source: str) -> str:
    """The Python code of a cell; lines with IPython's own syntax become ``pass``."""
    if source.lstrip().startswith("%%"):
        return ""
    return _MAGIC.sub(lambda found: f"{found[1] or ''}pass", source)


def shell_lines(source: str) -> str:
    """The shell commands of a cell."""
    if re.match(r"\s*%%(?:bash|sh|script)\b", source):
        return source
    return "\n".join(found[0] if _SHELL.match(found[0]) else "" for found in re.finditer(r"^.*$", source, re.MULTILINE))
