"""transformers-34631: the Trainer cannot resume, since torch refuses the random states that the Trainer wrote."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-34631"


def test_failing(failing: Result) -> None:
    """The checkpoint is written; in the new job the load of NumPy's state is refused on both ranks."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    seen = failing.newest
    assert seen.stage == "read"
    assert all(rank.oracle for rank in seen.earlier[0].ranks)
    for rank in seen.ranks:
        assert rank.error is not None
        assert "numpy.core.multiarray._reconstruct" in rank.error.message
        assert "_load_rng_state" in [frame.function for frame in rank.error.frames]


def test_correct(correct: Result) -> None:
    """Where the state is read, the resumed step draws the random numbers of the uninterrupted run."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["relative_error"] <= 1e-6


def test_backported(backported: Result) -> None:
    """With NumPy's types named as safe the training goes on as if nothing had happened."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["relative_error"] <= 1e-6
