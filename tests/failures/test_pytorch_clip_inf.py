"""pytorch-clip-inf: the infinity norm of an empty shard."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-clip-inf"


def test_failing(failing: Result) -> None:
    """The ranks without a row raise; rank 0 holds the only one."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert [rank.measured["rows_here"] for rank in failing.newest.ranks] == [1, 0, 0, 0]


def test_backported(backported: Result) -> None:
    """The norm is that of plain tensors."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["norm"] == 1.0
