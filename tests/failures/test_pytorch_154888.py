"""pytorch-154888: replicas of HYBRID_SHARD with one rank in each shard group train alone."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-154888"


def test_failing(failing: Result) -> None:
    """Each rank moves by its own gradient, divided by the number of ranks."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["update_ratios"] == [0.3333, 0.6667]


def test_backported(backported: Result) -> None:
    """With the backport both replicas take the step on the mean."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["update_ratios"] == [1.0, 1.0]
