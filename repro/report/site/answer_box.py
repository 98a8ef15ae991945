"""The box of the first page that answers to a pasted text: what it needs is handed in, and nothing is fetched."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnswerBox:
    """The part of the page's script that answers, and what it knows."""

    script: str
    knowledge: str
    """JSON, without any character that means something in HTML."""
