"""pytorch-112152: with an unused parameter DDP does not average the first update."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-112152"


def test_failing(failing: Result) -> None:
    """Each rank has made the update of its own samples, 1 and 2, where 1.5 is right."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert [rank.measured["weight"] for rank in failing.newest.ranks] == [-1.0, -2.0]


def test_backported(backported: Result) -> None:
    """With the search for unused parameters the update is the mean."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    facts = measurements(backported)
    assert (facts["weight"], facts["ranks_differ_by"]) == (-1.5, 0.0)
