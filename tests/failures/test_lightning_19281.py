"""lightning-19281: resuming from a checkpoint that holds the adapter only fails under strict loading."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "lightning-19281"


def test_failing(failing: Result) -> None:
    """Every rank misses the frozen weights, although the module asks for non-strict loading."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    for rank in failing.newest.ranks:
        assert rank.error is not None
        assert rank.error.type == "RuntimeError"
        assert "Missing key" in rank.error.message


def test_correct(correct: Result) -> None:
    """The adapter is restored, the frozen rest untouched, and training goes on as if it had not stopped."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert all(rank.oracle for rank in correct.newest.ranks)


def test_backported(backported: Result) -> None:
    """The backport gives the failing release the attribute ``strict_loading`` of later ones."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert all(rank.backport_applied and rank.oracle for rank in backported.newest.ranks)
