"""pytorch-165923: all() of a sharded DTensor means "somewhere" instead of "everywhere"."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-165923"


def test_failing(failing: Result) -> None:
    """The guard takes a gradient with a NaN for finite, and the step puts the NaN into the weights."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert (found["all_finite"], found["expected"]) == (True, False)
    assert found["weights_not_finite"] == 1


def test_correct(correct: Result) -> None:
    """The DTensor answers as the plain tensor does, and the step is skipped."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct) == {"all_finite": False, "expected": False, "weights_not_finite": 0}


def test_backported(backported: Result) -> None:
    """With a product in the place of the sum the guard holds."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported) == {"all_finite": False, "expected": False, "weights_not_finite": 0}
