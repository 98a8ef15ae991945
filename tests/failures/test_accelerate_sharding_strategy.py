"""accelerate-sharding-strategy: accelerate launch ignores the strategy that accelerate config wrote for FSDP1."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-sharding-strategy"


def test_failing(failing: Result) -> None:
    """Every unit runs FULL_SHARD and keeps less than its parameters after the forward pass."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert failing.newest.launcher == "accelerate"
    found = measurements(failing)
    assert found["strategies"] == ["FULL_SHARD"]
    assert found["kept_after_forward"] <= 0.5


def test_backported(backported: Result) -> None:
    """With the configured strategy, a block keeps its parameters."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["strategies"] == ["SHARD_GRAD_OP"]
    assert found["kept_after_forward"] == 1
