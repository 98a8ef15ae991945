"""lightning-21699: train_time_interval saves nothing under manual optimization."""

from repro.model.verdict import Status
from repro.verdict.claims import ExaminedClaim, measurements
from repro.verdict.result import Result

FAILURE = "lightning-21699"
EVERY_STEP = [f"step={step}.ckpt" for step in range(1, 6)]


def test_failing(failing: Result) -> None:
    """A checkpoint is due after every step, and none is written, not even at the end."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["checkpoints_while_training"] == []
    assert measurements(failing)["checkpoints"] == []


def test_correct(correct: Result) -> None:
    """There is a checkpoint of every step while training runs."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["checkpoints_while_training"] == EVERY_STEP


def test_backported(backported: Result) -> None:
    """The backport makes the failing release write all of them."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["checkpoints_while_training"] == EVERY_STEP


def test_claim(claim: ExaminedClaim) -> None:
    """The published finding is the one that the evidence computes."""
    assert claim.finding is claim.claim.verdict, [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
