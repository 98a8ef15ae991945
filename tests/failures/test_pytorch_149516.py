"""pytorch-149516: only rank 0 learns of an unexpected key, and the ranks wait in different collectives."""

from repro.model.failure import Lane
from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "pytorch-149516"


def test_failing(failing: Result) -> None:
    """Rank 1 asks for the step of the checkpoint while rank 0 has gone on to train: nobody raises, nobody ends."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    if failing.cell.lane is Lane.CUDA:
        # NCCL takes the gradients of the peer for the size of an object: rank 1 cannot allocate so much.
        error = failing.newest.ranks[1].error
        assert error is not None
        assert error.type == "OutOfMemoryError"
        return
    assert failing.newest.cut_off
    waiting = [rank.stacks[-1][-1].function for rank in failing.newest.ranks]
    assert waiting == ["all_reduce", "broadcast"]


def test_correct(correct: Result) -> None:
    """No release is right yet: where one is, the ranks continue from the same step."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert len({rank.oracle for rank in correct.newest.ranks}) == 1


def test_backported(backported: Result) -> None:
    """With the backport every rank learns of the key, and all start from scratch together."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert {rank.oracle for rank in backported.newest.ranks} == {
        "all ranks continue from step 0 and have exchanged gradients"
    }
