"""lightning-17399: ranks that ddp_spawn starts on the CPU train one shared copy of the weights."""

from repro.model.verdict import Status
from repro.verdict.claims import ExaminedClaim, measurements
from repro.verdict.result import Result

FAILURE = "lightning-17399"


def test_failing(failing: Result) -> None:
    """Every rank finds its weights in shared memory, moved too far, and each spawned rank is observed."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert failing.newest.launcher == "python"
    assert all(rank.error and rank.error.frames[-1].function == "on_train_end" for rank in failing.newest.ranks)
    found = measurements(failing)
    assert found["shared"] is True
    assert found["movement"] > 1.5


def test_correct(correct: Result) -> None:
    """The weights are each rank's own, and those of one process."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["shared"] is False


def test_backported(backported: Result) -> None:
    """The same with the backport."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["shared"] is False


def test_claim(claim: ExaminedClaim) -> None:
    """The published finding is the one that the evidence computes."""
    assert claim.finding is claim.claim.verdict, [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
