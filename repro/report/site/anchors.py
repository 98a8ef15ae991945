"""File names and anchors of the site."""

import re

from repro.model.cell import Cell


def page_name(failure: str) -> str:
    """The page of a failure; ids are lower-case letters, digits and hyphens."""
    return f"{failure}.html"


def anchor(cell: Cell) -> str:
    """The anchor of a cell in the page of its failure: ``cell-newest-cuda-with-cure``."""
    words = cell.label.removeprefix(cell.failure).replace("+", "with ")
    return "cell-" + re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-")
