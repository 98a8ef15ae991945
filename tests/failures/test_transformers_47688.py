"""transformers-47688: the Trainer's updates are too large by the accumulation steps times the ranks."""

import pytest

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-47688"


def test_failing(failing: Result) -> None:
    """Two accumulation steps on two ranks: four times the update, and four times the logged loss."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    facts = measurements(failing)
    assert facts["update_ratio"] == pytest.approx(4.0, abs=0.01)
    assert facts["logged_loss_ratio"] == pytest.approx(4.0, abs=0.05)


def test_correct(correct: Result) -> None:
    """transformers 4.53 divides the loss of models that take no kwargs."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["update_ratio"] == pytest.approx(1.0, abs=0.01)


def test_backported(backported: Result) -> None:
    """With the backport the Trainer divides."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["update_ratio"] == pytest.approx(1.0, abs=0.01)
