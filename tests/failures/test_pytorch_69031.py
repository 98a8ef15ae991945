"""pytorch-69031: a parameter that only an earlier micro-batch uses is not averaged."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-69031"


def test_failing(failing: Result) -> None:
    """Each rank keeps the gradient of its own samples, 1 and 2."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert [rank.measured["gradient_some"] for rank in failing.newest.ranks] == [1.0, 2.0]


def test_correct(correct: Result) -> None:
    """The repaired release averages it."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["gradient_some"] == 1.5


def test_backported(backported: Result) -> None:
    """Reduced in each micro-batch, both gradients are right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    facts = measurements(backported)
    assert (facts["gradient_some"], facts["gradient_both"]) == (1.5, 3.0)
