"""transformers-35207: gradients are too large by the accumulation steps."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-35207"


def test_failing(failing: Result) -> None:
    """Two accumulation steps make the update and the logged loss twice as large."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert (found["update_ratio"], found["logged_loss_ratio"]) == (2.0, 2.0)


def test_correct(correct: Result) -> None:
    """A release whose Trainer divides the loss is right."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["update_ratio"] == 1.0


def test_backported(backported: Result) -> None:
    """Divided before the backward pass, update and log are right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert (found["update_ratio"], found["logged_loss_ratio"]) == (1.0, 1.0)
