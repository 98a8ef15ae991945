"""lightning-20960: save_last=True without validation leaves an empty folder."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "lightning-20960"


def test_failing(failing: Result) -> None:
    """Training reaches its end, and there is no checkpoint of any name."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["checkpoints"] == []


def test_correct(correct: Result) -> None:
    """last.ckpt is written when training ends, and not before."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["checkpoints"] == ["last.ckpt"]
    assert measurements(correct)["checkpoints_while_training"] == []


def test_backported(backported: Result) -> None:
    """The backport makes the failing release write what the fixed one writes."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["checkpoints"] == ["last.ckpt"]
