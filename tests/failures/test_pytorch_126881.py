"""pytorch-126881: entries of the checkpoint that the state dict does not name are passed over."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-126881"


def test_failing(failing: Result) -> None:
    """None of the two moments arrive."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["states"] == [2, 0]


def test_correct(correct: Result) -> None:
    """Before 2.4 the load is refused: the state dict had a part that the checkpoint lacks."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert all(rank.error is not None for rank in correct.newest.ranks)


def test_backported(backported: Result) -> None:
    """Filled in, they make the next step that of the uninterrupted training."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["states"] == [2, 2]
    assert found["relative_error"] < 1e-6
