"""pytorch-24005: DDP's search for unused parameters and reentrant checkpointing."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-24005"


def test_failing(failing: Result) -> None:
    """Every rank raises in its first backward."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert all("worst_difference" not in rank.measured for rank in failing.newest.ranks)


def test_backported(backported: Result) -> None:
    """Without re-entrance the gradients are those of one process without checkpointing."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["worst_difference"] < 1e-5
