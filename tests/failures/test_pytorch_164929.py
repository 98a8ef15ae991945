"""pytorch-164929: asking for the state dict of a fresh Adam counts as a step."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-164929"


def test_failing(failing: Result) -> None:
    """A step is counted that was never taken, and the first real update comes out wrong."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert set(found["steps_counted_after_the_call"]) == {1.0}
    assert found["parameter_difference"] > 1e-3


def test_correct(correct: Result) -> None:
    """No release is right yet: where one is, the parameters are those of a job that never asked."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["parameter_difference"] == 0


def test_backported(backported: Result) -> None:
    """The backport asks without a trace."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["parameter_difference"] == 0
