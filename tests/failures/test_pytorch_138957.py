"""pytorch-138957: DataLoader forks its workers from a rank that has threads."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "pytorch-138957"


def test_failing(failing: Result) -> None:
    """Python 3.12 warns on each rank, where the worker is forked."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert failing.judgement.where.startswith("multiprocessing/popen_fork.py:")
    assert all(rank.oracle for rank in failing.newest.ranks)


def test_correct(correct: Result) -> None:
    """Python 3.11 forks in silence."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert correct.newest.installed is not None
    assert correct.newest.installed.python.startswith("3.11.")


def test_backported(backported: Result) -> None:
    """Workers that are spawned are no reason to warn."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
