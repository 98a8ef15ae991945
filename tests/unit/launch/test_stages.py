"""Runs with stages, by both launchers with a small torch of ours: jobs in order, one shared folder, nothing left."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repro.launch import job as job_module
from repro.launch.guard import Limits
from repro.launch.run_cell import Launch, run_cell, torchrun
from repro.launch.stages import SHARED, keep_shared
from repro.launch.warm import WarmLauncher
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.verdict.judge import judge
from tests.unit.factories import cell, entry
from tests.unit.launch.fake import environment

SCRIPT = """\
import argparse
import json
import os
import pathlib

import lightning
import torch

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--state-dict-type", choices=["sharded", "full"], default="sharded")
    flags = parser.parse_args()
    rank = os.environ["RANK"]
    print("measured beside =", json.dumps(sorted(path.name for path in pathlib.Path.cwd().iterdir())))
    print("measured type =", json.dumps(flags.state_dict_type))
    print("measured world =", os.environ["WORLD_SIZE"])
    if flags.stage == "write":
        BROKEN
        pathlib.Path("left-" + rank).write_text("x")
        (flags.folder / rank).write_text("written")
    else:
        assert (flags.folder / "0").read_text() == "written"
        lightning.save_checkpoint({})
    print("oracle passed: yes")

if __name__ == "__main__":
    main()
"""
STAGES: list[dict[str, Any]] = [
    {"name": "write", "role": "writer", "meaning": "writes", "ranks": 1, "factors": {"state-dict-type": "full"}},
    {"name": "read", "role": "reader", "meaning": "reads"},
]


@pytest.fixture(params=["torchrun", "warm"])
def launch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    monkeypatch.setattr(job_module, "GRACE_SECONDS", 0.6)
    if request.param == "torchrun":
        yield torchrun
    else:
        with WarmLauncher() as launcher:
            yield launcher.run


def run(root: Path, launch: Launch, broken: str = "pass", **stage: Any) -> tuple[Observation, Verdict, str]:
    stages = [{**STAGES[0], **stage}, STAGES[1]]
    held = entry(root / "failures", script=SCRIPT.replace("BROKEN", broken), stages=stages)
    under_test = environment(root)
    seen = run_cell(cell(), held, under_test, run="r", limits=Limits(120), launch=launch)
    judged = judge(held.failure, seen)
    return seen, judged.verdict, judged.reason


def test_two_jobs(tmp_path: Path, launch: Launch, request: pytest.FixtureRequest) -> None:
    """The second job finds what the first one put into the shared folder, and nothing else of it."""
    seen, verdict, reason = run(tmp_path, launch)
    assert (verdict, reason) == (Verdict.REPRODUCED, "stage read: the signature, on every rank")
    name = request.node.callspec.params["launch"]
    assert (seen.stage, seen.launcher, [part.launcher for part in seen.earlier]) == ("read", name, [name])
    first, last = seen.earlier[0], seen
    assert (len(first.ranks), len(last.ranks)) == (1, 2)
    assert (first.ranks[0].measured["type"], last.ranks[0].measured["type"]) == ("full", "sharded")
    assert (first.ranks[0].measured["world"], last.ranks[0].measured["world"]) == (1, 2)
    beside = set(last.ranks[0].measured["beside"])
    assert SHARED in beside
    assert "left-0" not in beside
    assert not list(Path(tempfile.gettempdir()).glob(f"{seen.id}*"))


def test_first_job_fails(tmp_path: Path, launch: Launch) -> None:
    """Then the second one does not begin, and the verdict names the first."""
    seen, verdict, reason = run(tmp_path, launch, "raise ValueError('disk')")
    assert (seen.stage, seen.earlier) == ("write", ())
    assert (verdict, reason[:12]) == (Verdict.DIFFERENT, "stage write:")


def test_deadline_of_a_stage(tmp_path: Path, launch: Launch) -> None:
    """Each stage has its own deadline; one that is late shows nothing."""
    seen, verdict, reason = run(tmp_path, launch, "import time; time.sleep(60)", timeout=2)
    assert (seen.stage, seen.deadline_passed, seen.timeout) == ("write", True, 2)
    assert (verdict, reason) == (Verdict.UNRUNNABLE, "stage write: no end within 2 s")


def test_keep_shared(tmp_path: Path) -> None:
    """A link is removed, and not what it points at."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    folder = tmp_path / "run"
    (folder / SHARED / "deep").mkdir(parents=True)
    (folder / "home" / "deep").mkdir(parents=True)
    (folder / "rank0.jsonl").write_text("{}")
    (folder / "link").symlink_to(outside)
    keep_shared(folder)
    assert [path.name for path in folder.iterdir()] == [SHARED]
    assert (folder / SHARED / "deep").is_dir()
    assert (outside / "kept").exists()
