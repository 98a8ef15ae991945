"""lightning-20825: the handler of SIGTERM calls a collective, and the ranks wait for each other."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "lightning-20825"


def test_failing(failing: Result) -> None:
    """Rank 0 stands in its signal handler, rank 1 in its backward pass."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    stacks = [[frame.function for frame in rank.stacks[-1]] for rank in failing.newest.ranks]
    assert [stack[-1] for stack in stacks] == ["broadcast", "_engine_run_backward"]
    assert [("_sigterm_notifier_fn" in stack) for stack in stacks] == [True, False]


def test_correct(correct: Result) -> None:
    """A release whose handler only notes the signal stops both ranks after the same step."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert {rank.oracle for rank in correct.newest.ranks} == {ENDED}


def test_backported(backported: Result) -> None:
    """With the backport the newest one does so as well, and the checkpoint holds three steps."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert {rank.oracle for rank in backported.newest.ranks} == {ENDED}


ENDED = "3 steps, and the checkpoint of a preempted job holds them"
