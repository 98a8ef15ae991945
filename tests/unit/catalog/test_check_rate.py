"""The rate of a record."""

import pytest

from repro.catalog.check_rate import problems_of
from tests.unit.factories import failure

TIMED = {
    "by_timing": True,
    "signature": {"type": "OSError", "message": "^gone", "function": "save", "library": "lightning"},
    "why": "by timing",
}


def test_a_signature_by_timing_needs_a_rate() -> None:
    ((at, problem, _),) = problems_of(failure(signatures=[TIMED]))
    assert at == ("signatures", 0, "by_timing")
    assert "states no rate" in problem
    assert not list(problems_of(failure(signatures=[TIMED], rate={"runs": 20, "at_least": 8})))


@pytest.mark.parametrize(("runs", "asks"), [(20, 59), (21, 62)])
def test_too_rare(runs: int, asks: int) -> None:
    """A rate that asks for more runs than anybody makes is refused, with the number."""
    found = list(problems_of(failure(rate={"runs": runs, "at_least": 1})))
    assert [at for at, _, _ in found] == ([("rate",)] if asks > 60 else [])
    assert all(f"asks for {asks} clean runs" in problem for _, problem, _ in found)


def test_no_rate() -> None:
    assert not list(problems_of(failure()))
