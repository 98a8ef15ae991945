"""transformers-accumulation-twice: updates are too small by the accumulation steps."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-accumulation-twice"


def test_failing(failing: Result) -> None:
    """Two accumulation steps make the update half as large, beside the right loss in the log."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert (found["update_ratio"], found["logged_loss_ratio"]) == (0.5, 1.0)


def test_correct(correct: Result) -> None:
    """Releases before and after are right."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["update_ratio"] == 1.0


def test_backported(backported: Result) -> None:
    """With one accumulation step for accelerate the update is right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["update_ratio"] == 1.0
