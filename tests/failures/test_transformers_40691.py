"""transformers-40691: a resumed epoch goes on in the order of epoch 0."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-40691"


def test_failing(failing: Result) -> None:
    """As many samples are trained twice as are never trained."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["order_of_epoch_0"] is True
    assert found["trained_twice"] == found["never_trained"] > 0


def test_correct(correct: Result) -> None:
    """The repaired pair trains each sample once."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["never_trained"] == 0


def test_backported(backported: Result) -> None:
    """So does the old pair with the backport."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["never_trained"] == 0
