"""An unanswered signature is of nothing, whatever a rank shows."""

import pytest

from repro.model.failure import Signature
from repro.verdict.signature import shows
from tests.unit.factories import RECORD, frame, raised


@pytest.mark.parametrize("part", ["type", "message", "function", "library"])
def test_unanswered(part: str) -> None:
    """Not even an error that prints the placeholder."""
    signature = Signature.model_validate(RECORD["signature"])
    assert shows(raised(), signature)
    error = raised("ANSWER" if part == "type" else "KeyError", "'optimizer_states' ANSWER", frame(function="ANSWER"))
    unanswered = signature.model_copy(update={part: "ANSWER"})
    assert not shows(error, unanswered)
    assert not shows(raised(), unanswered)
