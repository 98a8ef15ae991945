"""lightning-20921: a forward pass in torch.no_grad() stops the training of the layers under mixed precision."""

from repro.model.verdict import Status
from repro.verdict.claims import ExaminedClaim, measurements
from repro.verdict.result import Result

FAILURE = "lightning-20921"


def test_failing(failing: Result) -> None:
    """Weights and biases of both linear layers are bitwise what they were before training; no exception says so."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    frozen = measurements(failing)["parameters_that_never_move"]
    assert frozen == ["layers.0.bias", "layers.0.weight", "layers.2.bias", "layers.2.weight"]


def test_correct(correct: Result) -> None:
    """Every parameter moves as in float32, to the precision of bfloat16."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["largest_relative_error"] < 0.01


def test_backported(backported: Result) -> None:
    """The backport makes the failing pair of releases train as in float32."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["largest_relative_error"] < 0.01


def test_claim(claim: ExaminedClaim) -> None:
    """The published finding is the one that the evidence computes."""
    assert claim.finding is claim.claim.verdict, [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
