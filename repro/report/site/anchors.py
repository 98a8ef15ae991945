"""Where things stand in the site: file names and anchors."""

import re

from repro.model.cell import Cell


def page_name(failure: str) -> str:
    """The page of a failure; ids are lower-case letters, digits and hyphens."""
    return f"{failure}.html"


def anchor(cell: Cell) -> str:
    """The place of a cell in its failure's page: ``cell-newest-cuda-with-cure``."""
    words = cell.label.removeprefix(cell.failure).replace("+", "with ")
    return "cell-" + re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-")
