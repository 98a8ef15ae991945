"""accelerate-numpy-states: random states that NumPy 1 wrote are not restored under NumPy 2."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-numpy-states"


def test_failing(failing: Result) -> None:
    """The random numbers of the start are drawn once more, and the count of micro-batches is zero."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["repeated"] is True
    assert found["steps"] == [2, 0]


def test_correct(correct: Result) -> None:
    """What the same NumPy wrote is restored."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    found = measurements(correct)
    assert found["repeated"] is False
    assert found["steps"] == [2, 2]


def test_backported(backported: Result) -> None:
    """With the old name allowed all of the file is restored."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["repeated"] is False
    assert found["steps"] == [2, 2]
