"""transformers-46204: the loss is divided by one token too many for each sequence."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-46204"


def test_failing(failing: Result) -> None:
    """Sequences of eight tokens have seven predictions."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["update_ratio"] == 0.875


def test_correct(correct: Result) -> None:
    """Before the Trainer divided, the model did it right."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["update_ratio"] == 1.0


def test_backported(backported: Result) -> None:
    """Counted right, the update and the evaluation loss are right."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert (found["update_ratio"], found["eval_loss_ratio"]) == (1.0, 1.0)
