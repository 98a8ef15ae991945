"""transformers-35078: the evaluation loss is multiplied by the number of ranks."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-35078"


def test_failing(failing: Result) -> None:
    """On two ranks the evaluation loss is twice as large, beside a right update."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert (found["loss_ratio"], found["update_ratio"]) == (2.0, 1.0)


def test_correct(correct: Result) -> None:
    """A release that multiplies only where items were counted is right."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["loss_ratio"] == 1.0


def test_backported(backported: Result) -> None:
    """Not multiplied where no items were counted, loss and update are right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert (found["loss_ratio"], found["update_ratio"]) == (1.0, 1.0)
