"""accelerate-3977: a model that was evaluated first is trained by each rank alone."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-3977"


def test_failing(failing: Result) -> None:
    """The weight of each rank is that of its own sample, 1 or 2."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert sorted(measurements(failing)["weights"]) == [-2.0, -1.0]


def test_correct(correct: Result) -> None:
    """The accelerate before the guard wraps the model."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["weights"] == [-1.5, -1.5]


def test_backported(backported: Result) -> None:
    """Without the mark it is wrapped."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["weights"] == [-1.5, -1.5]
