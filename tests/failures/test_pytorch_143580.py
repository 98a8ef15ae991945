"""pytorch-143580: a static graph cannot begin with an accumulated update."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-143580"


def test_failing(failing: Result) -> None:
    """Every rank ends in the assertion, before any gradient was measured."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert all("gradients" not in rank.measured for rank in failing.newest.ranks)


def test_backported(backported: Result) -> None:
    """Three updates of two micro-batches have the gradient of one process."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["gradients"] == [3.0, 3.0, 3.0]
