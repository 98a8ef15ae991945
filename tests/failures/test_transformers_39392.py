"""transformers-39392: the loss is a mean over ranks of means over tokens."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-39392"


def test_failing(failing: Result) -> None:
    """The update is far from that of all samples on one rank."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["relative_difference"] > 0.1


def test_correct(correct: Result) -> None:
    """Counted over all ranks it is the same."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["relative_difference"] < 1e-3


def test_backported(backported: Result) -> None:
    """So it is with the default of the release that repairs it."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["relative_difference"] < 1e-3
