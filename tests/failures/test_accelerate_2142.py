"""accelerate-2142: a prepared scheduler takes a step for each rank and update."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "accelerate-2142"


def test_failing(failing: Result) -> None:
    """The scheduler takes two steps per update, so that the rate is zero after half of the updates."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    found = measurements(failing)
    assert (found["updates"], found["scheduler_steps"]) == (8, 16)
    assert found["rates"] == [0.1, 0.075, 0.05, 0.025, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert found["expected_rates"] == [0.1, 0.0875, 0.075, 0.0625, 0.05, 0.0375, 0.025, 0.0125, 0.0]


def test_backported(backported: Result) -> None:
    """With one step per update the rates are those of a plain scheduler."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    found = measurements(backported)
    assert found["scheduler_steps"] == 8
    assert found["rates"] == found["expected_rates"]
