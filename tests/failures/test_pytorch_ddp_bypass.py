"""pytorch-ddp-bypass: a forward pass past the wrapper leaves gradients unaveraged."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-ddp-bypass"


def test_failing(failing: Result) -> None:
    """Each rank keeps the gradient of its own samples, 1 and 2."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert [rank.measured["gradient"] for rank in failing.newest.ranks] == [1.0, 2.0]
    assert measurements(failing)["spread_of_weights"] == 1.0


def test_backported(backported: Result) -> None:
    """Through the wrapper it is averaged."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert (found["gradient"], found["spread_of_weights"]) == (1.5, 0.0)
