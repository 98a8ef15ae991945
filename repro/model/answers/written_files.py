"""Answers of ``new`` and ``shrink``: the files that they wrote."""

from repro.model.answers.base import Answer


class NewAnswer(Answer):
    """``repro new --json``."""

    id: str
    files: tuple[str, ...]
    """What was written; the next step is ``repro check``, which names the open questions."""


class ShrinkAnswer(Answer):
    """``repro shrink --json``."""

    file: str
    lines_before: int
    lines_after: int
    runs: int
    ranks_before: int
    ranks_after: int
    seconds: int
    complete: bool
    """False if time or runs ended before nothing more could be left out."""
