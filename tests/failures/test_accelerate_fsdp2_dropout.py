"""accelerate-fsdp2-dropout: the recomputation under FSDP2 draws other dropout masks."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-fsdp2-dropout"


def test_failing(failing: Result) -> None:
    """The loss is right and the gradients are not."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["loss_difference"] <= 1e-5
    assert found["gradient_relative_error"] > 0.1


def test_backported(backported: Result) -> None:
    """With the masks of the forward pass the gradients are right as well."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["gradient_relative_error"] <= 1e-5
