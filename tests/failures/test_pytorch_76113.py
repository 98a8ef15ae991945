"""pytorch-76113: SequentialLR warns of a call that the user does not make."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "pytorch-76113"


def test_failing(failing: Result) -> None:
    """Each rank prints torch's own deprecation once, and its learning rates are right."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert failing.judgement.where.startswith("torch/optim/lr_scheduler.py:")
    assert all(rank.exit_code == 0 and rank.oracle for rank in failing.newest.ranks)


def test_correct(correct: Result) -> None:
    """The same learning rates without the warning."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement


def test_backported(backported: Result) -> None:
    """The backport leaves the learning rates as they are."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
