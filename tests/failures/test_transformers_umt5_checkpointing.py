"""transformers-umt5-checkpointing: UMT5 with gradient checkpointing trains without its blocks."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-umt5-checkpointing"


def test_failing(failing: Result) -> None:
    """No block has a gradient, and the loss is not the model's."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    measured = measurements(failing)
    assert measured["blocks_without_gradient"] is True
    assert measured["parameters_without_gradient"] == measured["parameters_in_blocks"] + 1
    assert measured["loss_error"] > 0.1


def test_correct(correct: Result) -> None:
    """Loss and gradients equal those without checkpointing."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["parameters_without_gradient"] == 0
    assert measurements(correct)["gradient_relative_error"] < 1e-5


def test_backported(backported: Result) -> None:
    """With one line in its place the failing release has right gradients."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["parameters_without_gradient"] == 0
    assert measurements(backported)["gradient_relative_error"] < 1e-5
