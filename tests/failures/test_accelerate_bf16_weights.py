"""accelerate-bf16-weights: FSDP2 with mixed precision leaves a bfloat16 model in bfloat16, and it stands still."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-bf16-weights"


def test_failing(failing: Result) -> None:
    """The release says that it upcasts; the weights are bfloat16, and none of them moves."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    measured = measurements(failing)
    assert measured["says_upcast"] is True
    assert measured["weight_dtypes"] == ["torch.bfloat16"]
    assert measured["unchanged_weights"] == 128


def test_correct(correct: Result) -> None:
    """Weights are float32, and all of them move as in plain mixed precision."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["weight_dtypes"] == ["torch.float32"]
    assert measurements(correct)["unchanged_weights"] == 0


def test_backported(backported: Result) -> None:
    """Cast before they are sharded, the weights are float32 and move."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["weight_dtypes"] == ["torch.float32"]
    assert measurements(backported)["unchanged_weights"] == 0
