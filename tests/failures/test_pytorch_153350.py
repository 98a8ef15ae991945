"""pytorch-153350: a full state dict that lacks a parameter is loaded with strict=True."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-153350"


def test_failing(failing: Result) -> None:
    """The parameter keeps its initial value, and the answer names no missing key."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["parameters_not_loaded"] == ["1.weight"]
    assert found["missing_keys_reported"] == []


def test_correct(correct: Result) -> None:
    """Before the regression the load raised, and named the key."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    error = correct.newest.ranks[0].error
    assert error is not None
    assert (error.type, '"1.weight"' in error.message) == ("RuntimeError", True)


def test_backported(backported: Result) -> None:
    """With the backport the newest release raises as the old one did."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    error = backported.newest.ranks[0].error
    assert error is not None
    assert (error.type, '"1.weight"' in error.message) == ("RuntimeError", True)
