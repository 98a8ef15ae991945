"""pytorch-ddp-gil: a model in DDP that is freed after its gloo group can stand still there."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "pytorch-ddp-gil"


def test_failing(failing: Result) -> None:
    """At least one rank never returns from freeing the model; no rank gets to the end."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert failing.newest.cut_off
    waiting = [[frame.function for frame in rank.stacks[-1]] for rank in failing.newest.ranks]
    assert any("free" in stack for stack in waiting)
    assert not any(rank.oracle for rank in failing.newest.ranks)


def test_correct(correct: Result) -> None:
    """Sixty models are freed after their groups."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert all("60 groups were freed" in (rank.oracle or "") for rank in correct.newest.ranks)


def test_backported(backported: Result) -> None:
    """Python holds the last reference to each group, and the model is freed."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert all("60 groups were freed" in (rank.oracle or "") for rank in backported.newest.ranks)
