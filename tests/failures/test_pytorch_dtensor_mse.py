"""pytorch-dtensor-mse: the gradient of mse_loss on DTensors comes out times the world size."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-dtensor-mse"


def test_failing(failing: Result) -> None:
    """The loss is right and every gradient is doubled on two ranks."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert abs(found["smallest_gradient_ratio"] - 2) < 1e-3
    assert abs(found["largest_gradient_ratio"] - 2) < 1e-3


def test_correct(correct: Result) -> None:
    """Before the regression the operator was refused in clear words."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert all(rank.error and rank.error.type == "NotImplementedError" for rank in correct.newest.ranks)


def test_backported(backported: Result) -> None:
    """With the backport the gradients are those of plain tensors."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert abs(measurements(backported)["largest_gradient_ratio"] - 1) < 1e-3
