"""lightning-21938: the first epoch after a resume has the order of epoch 0."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "lightning-21938"


def test_failing(failing: Result) -> None:
    """Epoch 1 repeats the order of epoch 0, and epoch 2 is right."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["wrong_epochs"] == [1]
    assert found["first_epoch_has_the_order_of_epoch_0"] is True


def test_correct(correct: Result) -> None:
    """The release before the regression gives every epoch its own order."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["wrong_epochs"] == []


def test_backported(backported: Result) -> None:
    """So does the backport."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["wrong_epochs"] == []
