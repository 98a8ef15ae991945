"""transformers-24725: the loss is a mean over micro-batches of means over tokens."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-24725"


def test_failing(failing: Result) -> None:
    """The update is off by more than its own size."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["relative_difference"] > 1.0


def test_correct(correct: Result) -> None:
    """A release that counts the tokens of an update is right."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["relative_difference"] < 1e-3


def test_backported(backported: Result) -> None:
    """Divided by the tokens of the update, its gradient is right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["relative_difference"] < 1e-3
