"""peft-3333: two releases that cannot be imported together."""

from repro.model.observation import Phase
from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "peft-3333"


def test_failing(failing: Result) -> None:
    """The import fails inside peft, before the script's own code."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    (rank,) = failing.newest.ranks
    assert (rank.phase, rank.reached) == (Phase.IMPORT, False)
    assert rank.error is not None
    assert rank.error.innermost_library_frame is not None
    assert rank.error.innermost_library_frame.file == "peft/peft_model.py"


def test_correct(correct: Result) -> None:
    """The pair can be imported, and its adapter changes nothing at first."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement


def test_backported(backported: Result) -> None:
    """With the name in its place the import goes through."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
