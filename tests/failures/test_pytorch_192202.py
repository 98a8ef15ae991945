"""pytorch-192202: the optimizer state of parameters that are frozen at the load is dropped."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-192202"


def test_failing(failing: Result) -> None:
    """Only the parameters that were not frozen get their state back; training then goes another way."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert found["parameters_with_state_after_the_load"] == ["1.bias", "1.weight"]
    assert found["parameter_difference"] > 1e-3


def test_correct(correct: Result) -> None:
    """No release is right yet: where one is, the run ends where an uninterrupted one does."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["parameter_difference"] == 0


def test_backported(backported: Result) -> None:
    """The backport restores the state of the frozen ones too."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert len(measurements(backported)["parameters_with_state_after_the_load"]) == 4
