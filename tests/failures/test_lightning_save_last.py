"""lightning-save-last: last.ckpt stays at the best epoch while the metric does not improve."""

from repro.model.verdict import Status
from repro.verdict.claims import ExaminedClaim, measurements
from repro.verdict.result import Result

FAILURE = "lightning-save-last"


def test_failing(failing: Result) -> None:
    """After four epochs of two steps, of which the first was the best, last.ckpt holds the second step."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["steps_done_and_steps_in_last"] == [[0, 0], [2, 2], [4, 2], [6, 2], [8, 2]]


def test_correct(correct: Result) -> None:
    """After every epoch last.ckpt holds the step that was just done."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert all(done == saved for done, saved in measurements(correct)["steps_done_and_steps_in_last"])


def test_backported(backported: Result) -> None:
    """The backport makes the failing release refresh it every time."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert all(done == saved for done, saved in measurements(backported)["steps_done_and_steps_in_last"])


def test_claim(claim: ExaminedClaim) -> None:
    """The published finding is the one that the evidence computes."""
    assert claim.finding is claim.claim.verdict, [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
