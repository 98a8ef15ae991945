"""pytorch-object-numpy: collectives of Python objects need NumPy, which torch does not require."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "pytorch-object-numpy"


def test_failing(failing: Result) -> None:
    """Every rank ends where the bytes of a received object are read."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert "in _tensor_to_object" in failing.judgement.where
    assert failing.newest.installed is not None
    assert "numpy" not in failing.newest.installed.distributions


def test_correct(correct: Result) -> None:
    """With NumPy every rank has all objects."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement


def test_backported(backported: Result) -> None:
    """Without NumPy too, once the bytes are read without it."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
