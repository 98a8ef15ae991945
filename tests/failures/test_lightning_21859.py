"""lightning-21859: the mean over ranks divides by a floored number of samples."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "lightning-21859"


def test_failing(failing: Result) -> None:
    """Five samples on two ranks count as two for each, so that 1.8 becomes 2.25."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert (found["logged"], found["expected"]) == (2.25, 1.8)


def test_backported(backported: Result) -> None:
    """Not floored, the mean is that of all samples."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["logged"] == 1.8
