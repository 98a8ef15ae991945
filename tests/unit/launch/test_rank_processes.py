"""Which processes belong to a run."""

import subprocess
import sys
import time
from pathlib import Path

from repro.launch.rank_processes import ranks_of


class TestNotes:
    """Process ids that ranks wrote down."""

    def test_damaged(self, tmp_path: Path) -> None:
        """Missing, empty, half-written and foreign notes name nobody."""
        for number, text in enumerate(
            ["", "{", "[]\n", '{"event": "ended"}\n', '{"pid": "x"}\n', '{"pid": 99999999, "time": 1}\n']
        ):
            (tmp_path / f"rank{number}.jsonl").write_text(text)
        (tmp_path / "rank9.jsonl").mkdir()
        assert ranks_of(tmp_path) == {}

    def test_running(self, tmp_path: Path) -> None:
        """A rank that runs is found by its note."""
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            (tmp_path / "rank0.jsonl").write_text(
                f'{{"event": "started", "time": {time.time()}, "pid": {process.pid}}}\n'
            )
            assert {rank: found.pid for rank, found in ranks_of(tmp_path).items()} == {0: process.pid}
            process.communicate(b"\n")
