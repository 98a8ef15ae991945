"""pytorch-180088: all layers of a shape start with the same numbers."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-180088"


def test_failing(failing: Result) -> None:
    """The numbers are wrong and nothing was raised but by the oracle."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["equal_layers"] > 0


def test_correct(correct: Result) -> None:
    """Where a release is right, the numbers are."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    found = measurements(correct)
    assert found["equal_layers"] == 0


def test_backported(backported: Result) -> None:
    """The backport makes the numbers right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["equal_layers"] == 0
