"""lightning-19492: FSDP cannot save a sharded checkpoint that holds weights only."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "lightning-19492"


def test_failing(failing: Result) -> None:
    """Every rank asks for optimizer states that a weights-only checkpoint does not have; the folder is left empty."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    for rank in failing.newest.ranks:
        assert rank.error is not None
        assert (rank.error.type, rank.error.message) == ("KeyError", "'optimizer_states'")
        frame = rank.error.innermost_library_frame
        assert frame is not None
        assert (frame.file, frame.function) == ("lightning/pytorch/strategies/fsdp.py", "save_checkpoint")
    assert measurements(failing)["checkpoint_files"] == ["last.ckpt/"]


def test_correct(correct: Result) -> None:
    """A shard of each rank and the metadata are written, and load back as they were trained."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    files = measurements(correct)["checkpoint_files"]
    assert {"last.ckpt/.metadata", "last.ckpt/__0_0.distcp", "last.ckpt/__1_0.distcp"} <= set(files)


def test_backported(backported: Result) -> None:
    """The backport alone makes the failing release write what the fixed one writes."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert "last.ckpt/.metadata" in measurements(backported)["checkpoint_files"]
