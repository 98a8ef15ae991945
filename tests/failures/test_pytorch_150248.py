"""pytorch-150248: a sum over different dtypes is meaningless and ends without an error."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-150248"


def test_failing(failing: Result) -> None:
    """The numbers are wrong and nothing was raised but by the oracle."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["sum"] != found["expected"]


def test_correct(correct: Result) -> None:
    """Where a release is right, the numbers are."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    found = measurements(correct)
    assert found["sum"] == found["expected"]


def test_backported(backported: Result) -> None:
    """The backport makes the numbers right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["sum"] == found["expected"]
