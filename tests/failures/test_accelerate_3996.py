"""accelerate-3996: a resumed epoch has the order of epoch 0."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-3996"


def test_failing(failing: Result) -> None:
    """As many samples are trained twice as are never trained."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["order_of_epoch_0"] is True
    assert found["trained_twice"] == found["never_trained"] > 0


def test_backported(backported: Result) -> None:
    """With epoch and generator in the checkpoint each sample is trained once."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["never_trained"] == 0
