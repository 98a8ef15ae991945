"""The base of the answers of commands."""

from typing import Literal

from repro.model.base import Strict

FORMAT: Literal[1] = 1


class Answer(Strict):
    """What a command prints with ``--json``; ``format`` changes when a reader of today's answers would break."""

    format: Literal[1] = FORMAT
