"""accelerate-3391: loaders that are kept although nobody holds them."""

from repro.model.growth import windows_of
from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "accelerate-3391"


def test_failing(failing: Result) -> None:
    """One loader more each round, on every rank; loaders that come to their end leave no noise."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    for rank in failing.newest.ranks:
        windows = windows_of(rank.measured["loaders"])
        assert windows is not None
        assert list(windows.second) == [7, 8, 9, 10]
        assert windows.noise == 1
    assert "objects: 1.89 times in the second window (bound 1.5, A/A 1)" in failing.judgement.reason


def test_correct(correct: Result) -> None:
    """Only the loader of the round is alive."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement


def test_backported(backported: Result) -> None:
    """The cure releases them."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
