"""lightning-19267: activation checkpointing recomputes Mixtral's layers with twice the sequence."""

import re

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "lightning-19267"


def test_failing(failing: Result) -> None:
    """On every rank the recomputation finds keys and values of 50 positions where 25 were saved."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    for rank in failing.newest.ranks:
        assert rank.error is not None
        assert rank.error.type == "CheckpointError"
        assert "different metadata" in rank.error.message
        shapes = re.findall(r"'shape': torch\.Size\(\[([\d, ]+)\]\)", rank.error.message)
        lengths = {int(size) for shape in shapes for size in shape.split(", ")}
        assert {25, 50} <= lengths


def test_correct(correct: Result) -> None:
    """Gradients equal those of the same model without checkpointing."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["gradient_relative_error"] < 1e-2


def test_backported(backported: Result) -> None:
    """With the cache left out of the recomputation the failing release has right gradients."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["gradient_relative_error"] < 1e-2
