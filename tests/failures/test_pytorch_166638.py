"""pytorch-166638: reading a number from a Partial DTensor gives the rank's own part of it."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-166638"


def test_failing(failing: Result) -> None:
    """What rank 0 reads is not the value that the plain tensor has."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["read_on_rank_0"] < found["expected"]


def test_correct(correct: Result) -> None:
    """No release is right yet: where one is, the number read is the value."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    found = measurements(correct)
    assert abs(found["read_on_rank_0"] - found["expected"]) < 1e-4


def test_backported(backported: Result) -> None:
    """The backport reduces before it reads."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert abs(found["read_on_rank_0"] - found["expected"]) < 1e-4
