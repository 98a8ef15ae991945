"""safetensors-cuda-device: weights of all ranks land on the first device."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "safetensors-cuda-device"


def devices(result: Result) -> list[object]:
    """Where the weight of each rank lies."""
    return [rank.measured["device"] for rank in result.newest.ranks]


def test_failing(failing: Result) -> None:
    """Both ranks' weights lie on the first device."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert devices(failing) == [0, 0]


def test_correct(correct: Result) -> None:
    """Where a release is right, each rank's weight lies on its own device."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert devices(correct) == [0, 1]


def test_backported(backported: Result) -> None:
    """With the backport each rank's weight lies on its own device."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert devices(backported) == [0, 1]
