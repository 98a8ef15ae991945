"""pytorch-147180: the number of the first call is used in all later ones."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-147180"


def test_failing(failing: Result) -> None:
    """Whatever the scale, the loss is the one of the first scale."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert set(found["losses"]) == {found["expected_losses"][0]}
    assert len(set(found["expected_losses"])) == len(found["expected_losses"])


def test_correct(correct: Result) -> None:
    """Each scale gives the loss and the gradient of plain tensors."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    found = measurements(correct)
    assert found["losses"] == found["expected_losses"]
    assert found["gradients"] == found["expected_gradients"]


def test_backported(backported: Result) -> None:
    """With the arguments of each call the losses differ as they should."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["losses"] == found["expected_losses"]
