"""pytorch-193671: RReLU at the end of a checkpointed block gets gradients from uninitialised memory."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-193671"


def test_failing(failing: Result) -> None:
    """Some gradients differ from those without checkpointing; how, depends on what was in memory."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["wrong_gradients"] > 0


def test_correct(correct: Result) -> None:
    """No release is right yet: where one is, no gradient differs."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["wrong_gradients"] == 0


def test_backported(backported: Result) -> None:
    """With the backport no gradient differs."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["wrong_gradients"] == 0
