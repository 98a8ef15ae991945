"""lightning-full-over-sharded: ranks that remove one folder at once."""

from repro.model.verdict import Status
from repro.verdict.result import Result

FAILURE = "lightning-full-over-sharded"


def test_failing(failing: Result) -> None:
    """Some run ends in save_checkpoint, over a folder that was there; clean runs before it do not count against it."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert all(rank.measured["is_folder_before"] for rank in failing.newest.ranks)
    assert "in save_checkpoint" in failing.judgement.where


def test_backported(backported: Result) -> None:
    """As many clean runs as the rate asks for."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert backported.n >= 4
