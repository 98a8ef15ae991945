"""A script that spawns its ranks is observed as one that torchrun starts: gates, backports, ends, the deadline.

Two runs stand for all; all with ``nox -s launchers``.
"""

import signal
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.launch.session import Options, Session
from repro.model.cell import make_cell
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.verdict.result import Result

PROJECT = Project.here(catalog=Path(__file__).parents[1] / "catalogs" / "launchers")
SPAWNING = "pytorch-9021"


def run(root: Path, timeout: int | None = None, backport: str | None = None, **factors: str) -> Result:
    cell = make_cell(PROJECT.catalog[SPAWNING].failure, "torch-2.13", backport=backport, factors=factors)
    # A warm run is allowed, and not made: a script that spawns its ranks goes through plain Python.
    (result,) = Session(PROJECT, Store(root), Options(timeout=timeout)).run([cell])
    return result


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=pytest.mark.whole)])
def test_reproduced(tmp_path: Path, method: str) -> None:
    """The documented assertion of one rank, with the gate opened in each rank."""
    result = run(tmp_path, method=method)
    assert result.verdict is Verdict.REPRODUCED, result.judgement
    assert result.newest.launcher == "python"
    assert [rank.measured["rank"] for rank in result.newest.ranks] == [0, 1]
    assert all("fsdp-cpu-device" in rank.gates for rank in result.newest.ranks)
    assert result.newest.ranks[0].oracle == "nothing is wrong"


def test_cured(tmp_path: Path) -> None:
    """A backport is applied in each rank before the script is imported there."""
    result = run(tmp_path, backport="cure")
    assert result.verdict is Verdict.ABSENT, result.judgement
    assert all(rank.backport_applied for rank in result.newest.ranks)


@pytest.mark.whole
def test_another_end(tmp_path: Path) -> None:
    """A rank that a signal killed is no reproduction, nor is a run that its deadline ended."""
    killed = run(tmp_path / "killed", end="signal")
    assert killed.verdict is Verdict.DIFFERENT, killed.judgement
    assert killed.newest.ranks[1].signal == signal.SIGSEGV
    late = run(tmp_path / "late", timeout=20, end="waits")
    assert late.verdict not in {Verdict.REPRODUCED, Verdict.ABSENT}, late.judgement
    assert late.newest.deadline_passed
