"""The box on the first page that answers to a pasted text.  The page contains all it needs and fetches nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnswerBox:
    """The answering part of the page's script, and its data."""

    script: str
    knowledge: str
    """JSON without any character that has a meaning in HTML."""
