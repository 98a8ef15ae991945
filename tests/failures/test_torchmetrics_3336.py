"""torchmetrics-3336: a rank with fewer entries has a wrong score and goes on, and the job hangs."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "torchmetrics-3336"


def test_failing(failing: Result) -> None:
    """Rank 0 waits in the metric; rank 1 has a score, which is wrong, and waits in the next step of the training."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    waiting, gone_on = failing.newest.ranks
    assert [rank.stacks[-1][-1].function for rank in (waiting, gone_on)] == ["barrier", "all_reduce"]
    assert "value" not in waiting.measured
    assert gone_on.measured["value"] != gone_on.measured["expected"]


def test_backported(backported: Result) -> None:
    """With the backport all ranks have the score of one process."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert {rank.oracle for rank in backported.newest.ranks} == {"all ranks have the score of one process, 0.5222"}
