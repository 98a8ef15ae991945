"""Scripts made to deceive a launcher that shares state: both launchers give the one right verdict."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.launch.session import Options, Session
from repro.launch.warm import WarmLauncher
from repro.model.cell import make_cell
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.verdict.result import Result

PROJECT = Project.here(catalog=Path(__file__).parents[1] / "catalogs" / "deceivers")
TORCH = "torch-2.13"


def run(root: Path, failure: str, launcher: WarmLauncher | None, environment: str, backport: str | None) -> Result:
    cell = make_cell(PROJECT.catalog[failure].failure, environment, backport=backport)
    session = Session(PROJECT, Store(root), Options(warm=launcher is not None), warm=launcher)
    (result,) = session.run([cell])
    assert result.newest.launcher == ("warm" if launcher else "torchrun"), result.newest.fault
    return result


NUMPY_1 = "torch-2.2"
LIGHTNING = "lightning-2.5.6-torch-2.13"


CASES = pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (("pytorch-9003", TORCH, None), Verdict.REPRODUCED),
        (("lightning-9001", LIGHTNING, None), Verdict.ABSENT),
        (("pytorch-9004", TORCH, None), Verdict.REPRODUCED),
        (("filelock-9012", NUMPY_1, None), Verdict.REPRODUCED),
        (("pytorch-9005", TORCH, None), Verdict.REPRODUCED),
        (("pytorch-9005", TORCH, "cure"), Verdict.ABSENT),
        (("pytorch-9006", TORCH, None), Verdict.REPRODUCED),
    ],
    ids=["set", "rank-zero", "not-imported", "numpy", "bound", "bound-cured", "variable"],
)


@CASES
@pytest.mark.parametrize("launcher", ["warm", "torchrun"])
def test_the_right_verdict(
    tmp_path: Path, warm: WarmLauncher, launcher: str, case: tuple[str, str, str | None], verdict: Verdict
) -> None:
    """The warm launcher and torchrun see the same."""
    failure, environment, backport = case
    result = run(tmp_path, failure, warm if launcher == "warm" else None, environment, backport)
    assert result.verdict is verdict, result.judgement


@pytest.fixture(scope="module")
def warm_late() -> Iterator[WarmLauncher]:
    with WarmLauncher(late=True) as launcher:
        yield launcher


@CASES
def test_late_imports_deceive_no_script(
    tmp_path: Path, warm_late: WarmLauncher, case: tuple[str, str, str | None], verdict: Verdict
) -> None:
    """Where late imports are made ahead, as in the CUDA lane, the verdicts are the same."""
    failure, environment, backport = case
    result = run(tmp_path, failure, warm_late, environment, backport)
    assert result.verdict is verdict, result.judgement


def test_repetitions_are_independent(tmp_path: Path, warm: WarmLauncher) -> None:
    """Two warm runs of one cell differ in the hash seed and in what every generator draws."""
    runs = [run(tmp_path, "pytorch-9007", warm, TORCH, None).newest.ranks[0].measured for _ in range(2)]
    assert runs[0]["hash"] != runs[1]["hash"]
    assert not set(runs[0]["drawn"]) & set(runs[1]["drawn"])
