"""accelerate-3982: a full state dict is loaded by position, and weights land in other layers."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-3982"


def test_failing(failing: Result) -> None:
    """The second rank's shards are those of the layers that stand in the same place of the alphabet."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    names = [f"{index}.weight" for index in range(12)]
    moved = {name: [other] for name, other in zip(names, sorted(names), strict=True) if name != other}
    assert measurements(failing)["last_shard_holds"] == moved
    assert measurements(failing)["wrong_parameters"] == sorted(moved)


def test_correct(correct: Result) -> None:
    """Every parameter equals the checkpoint's."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["wrong_parameters"] == []


def test_backported(backported: Result) -> None:
    """In the model's order the failing release loads every parameter where it belongs."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["wrong_parameters"] == []
