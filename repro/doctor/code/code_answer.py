"""What ``repro doctor --code`` answers: models only."""

from typing import Literal

from repro.model.base import Strict


class CodePlace(Strict):
    """Where the code names something."""

    what: str
    file: str
    line: int
    cell: int = 0
    """Of a notebook: the number of the cell, in which the line is counted; 0 elsewhere."""


class CodeFailure(Strict):
    """What the code says of one failure."""

    id: str
    title: str
    finding: Literal["named", "could not tell", "not named"]
    who: str
    """Who reaches the failure, by its record."""
    places: tuple[CodePlace, ...] = ()
    why: str = ""
    """Why it could not be told."""


class CodeAnswer(Strict):
    """What ``repro doctor --code`` read.  Named does not mean that it suffers, nor not named that it does not."""

    root: str
    files: int
    notes: tuple[str, ...] = ()
    failures: tuple[CodeFailure, ...]
