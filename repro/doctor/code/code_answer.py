"""The models of the answer of ``repro doctor --code``."""

from typing import Literal

from repro.model.base import Strict


class CodePlace(Strict):
    """A place in the code."""

    what: str
    file: str
    line: int
    cell: int = 0
    """In a notebook: the number of the cell, in which lines are counted; 0 elsewhere."""


class CodeFailure(Strict):
    """The result for one failure."""

    id: str
    title: str
    finding: Literal["named", "could not tell", "not named"]
    who: str
    """Whom the failure concerns, from its record."""
    places: tuple[CodePlace, ...] = ()
    why: str = ""
    """Why it is undecided."""


class CodeAnswer(Strict):
    """The answer of ``repro doctor --code``.  Named does not mean affected; not named does not mean unaffected."""

    root: str
    files: int
    notes: tuple[str, ...] = ()
    failures: tuple[CodeFailure, ...]
