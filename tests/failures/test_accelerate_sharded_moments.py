"""accelerate-sharded-moments: a resume from a sharded FSDP1 checkpoint goes on without the optimizer's state."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-sharded-moments"


def test_failing(failing: Result) -> None:
    """The weights are loaded, none of the two states of a rank is, and the next update is another one."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["weights_loaded"] is True
    assert found["states"] == [2, 0]
    assert found["update_error"] > 0.05


def test_correct(correct: Result) -> None:
    """accelerate 1.4.0 goes on as if it had not stopped."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    found = measurements(correct)
    assert found["states"] == [2, 2]
    assert found["update_error"] <= 1e-6


def test_backported(backported: Result) -> None:
    """The checkpoint is whole: the call of older releases reads its states."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["states"] == [2, 2]
    assert found["update_error"] <= 1e-6
