"""pytorch-96136: the recomputation of activation checkpointing updates the statistics of BatchNorm again."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-96136"


def test_failing(failing: Result) -> None:
    """Every batch is counted twice, and the running mean is far off, while the gradients are right."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["batches_tracked"] == 16
    assert found["mean_relative_error"] > 0.1
    assert found["gradient_relative_error"] <= 1e-6


def test_correct(correct: Result) -> None:
    """No release is right yet: where one is, every batch is counted once."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["batches_tracked"] == 8


def test_backported(backported: Result) -> None:
    """With the backport the recomputation leaves the buffers alone."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["batches_tracked"] == 8
    assert found["mean_relative_error"] <= 1e-5
