"""pytorch-121186: asking for an optimizer's state dict decays the weights of the model."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-121186"


def test_failing(failing: Result) -> None:
    """The loaded parameters are changed by the call alone."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["parameter_change"] > 1e-3


def test_correct(correct: Result) -> None:
    """The call leaves the parameters exactly as they were."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["parameter_change"] == 0


def test_backported(backported: Result) -> None:
    """The backport asks with a learning rate of zero, as later releases do."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["parameter_change"] == 0
