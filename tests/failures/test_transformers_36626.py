"""transformers-36626: FSDP SHARDED_STATE_DICT with save_only_model saves no checkpoint."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-36626"


def test_failing(failing: Result) -> None:
    """Rank 0 alone meets the missing folder, where the state file is written; the other rank only loses its peer."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    first, second = failing.newest.ranks
    assert first.error is not None
    assert first.error.type == "FileNotFoundError"
    assert first.error.message.endswith("checkpoint-1/trainer_state.json'")
    frame = first.error.innermost_library_frame
    assert frame is not None
    assert (frame.package, frame.function) == ("transformers", "save_to_json")
    assert second.error is None or second.error.type != "FileNotFoundError"
    assert second.exit_code != 0


def test_correct(correct: Result) -> None:
    """Later releases refuse the combination on every rank, before any training."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    for rank in correct.newest.ranks:
        assert rank.error is not None
        assert rank.error.type == "ValueError"
        assert "SHARDED_STATE_DICT" in rank.error.message


def test_backported(backported: Result) -> None:
    """With the backport the shards are in the checkpoint, and load back as they were trained."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    files = measurements(backported)["checkpoint_files"]
    assert "pytorch_model_fsdp_0/.metadata" in files
    assert any(name.endswith(".distcp") for name in files)
