"""What a record may say of a user's log: each pattern is one kind, and complete."""

from typing import Any

import pytest
from pydantic import ValidationError

from repro.model.seen_as import SeenAs

FRAMES = [{"library": "torch", "function": "save"}]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"error": ["KeyError"], "message": "x"}, "error"),
        ({"error": ["KeyError"], "frames": FRAMES}, "error"),
        ({"hang": True, "frames": FRAMES}, "hang"),
        ({"text": "a warning"}, "text"),
        ({"nothing": "no message"}, "nothing"),
    ],
)
def test_kinds(changes: dict[str, Any], kind: str) -> None:
    """An error, a hang, a line, or nothing at all."""
    assert SeenAs.model_validate({"name": "p"} | changes).kind == kind


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "exactly one of"),
        ({"error": ["KeyError"], "message": "x", "text": "y"}, "exactly one of"),
        ({"hang": True}, "needs the frames"),
        ({"error": ["KeyError"]}, "its type alone says nothing"),
        ({"error": ["KeyError"], "frames": FRAMES, "alone": True}, "alone needs a message"),
        (
            {
                "error": ["KeyError"],
                "message": "(?P<a>x)",
                "holds": [{"group": "a", "relation": "equal", "other": "b"}],
            },
            "'b'",
        ),
        ({"error": ["KeyError"], "message": "(?=x)"}, "no regular expression of RE2"),
        ({"name": "Not A Name", "text": "x"}, "pattern"),
    ],
)
def test_faults(changes: dict[str, Any], words: str) -> None:
    """What is not one kind, is not complete, or matches in more than linear time, is refused."""
    with pytest.raises(ValidationError, match=words):
        SeenAs.model_validate({"name": "p"} | changes)
