"""pytorch-186998: unfreezing after a first forward pass that ran frozen, under FSDP2 with mixed precision."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-186998"


def test_failing(failing: Result) -> None:
    """Every rank refuses the gradient that was reduced in bfloat16."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert all(rank.error and "grad_dtype 'Float'" in rank.error.message for rank in failing.newest.ranks)


def test_correct(correct: Result) -> None:
    """The fixed release reduces in float32."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["gradient"] == 1.00390625


def test_backported(backported: Result) -> None:
    """So does the backport."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["gradient_dtype"] == "torch.float32"
