"""pytorch-149768: a number added to a pending reduction is added by every rank."""

import pytest

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-149768"


def test_failing(failing: Result) -> None:
    """The sum of the values plus one holds the one twice, once for each rank."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["found"] - found["expected"] == 1.0


def test_correct(correct: Result) -> None:
    """The sum of the values plus one is that of plain tensors."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["ratio"] == pytest.approx(1)


def test_backported(backported: Result) -> None:
    """The backport reduces before it adds."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["ratio"] == pytest.approx(1)
