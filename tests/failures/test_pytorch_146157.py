"""pytorch-146157: torch 2.7 and newer refuse AdamW's state in a distributed checkpoint that an older torch wrote."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "pytorch-146157"


def test_failing(failing: Result) -> None:
    """The older torch writes its checkpoint; the newer one refuses it on both ranks, for the one new option."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    seen = failing.newest
    assert seen.stage == "read"
    assert [part.name for part in seen.earlier] == ["write"]
    assert all(rank.oracle for rank in seen.earlier[0].ranks)
    for rank in seen.ranks:
        assert rank.error is not None
        assert "optimizer.param_groups.0.decoupled_weight_decay" in rank.error.message


def test_correct(correct: Result) -> None:
    """Each torch reads what it wrote itself."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["relative_error"] <= 1e-6


def test_backported(backported: Result) -> None:
    """With the backport the reader keeps its own value of the option and goes on as if nothing had happened."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["relative_error"] <= 1e-6
