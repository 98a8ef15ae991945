"""A run from a spare answers as any other: the deceivers again, in commands that take the spare of an earlier one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.launch.session import Options, Session
from repro.launch.spares.client import CommandSpares
from repro.launch.spares.place import ListedSpare, SparePhase, SparesFolder, end_spares
from repro.model.cell import make_cell
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.verdict.result import Result

PROJECT = Project.here(catalog=Path(__file__).parents[1] / "catalogs" / "deceivers")
TORCH = "torch-2.13"
NUMPY_1 = "torch-2.2"
READY_SECONDS = 240

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")


@pytest.fixture(scope="module")
def spares(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandSpares]:
    """The spares of commands one after another, in a folder that no other command looks into."""
    cache = tmp_path_factory.mktemp("cache")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as leader:
        made = CommandSpares(cache, 60, leader=leader.pid)
        yield made
        end_spares(cache)
        for process in made.ordered:
            process.wait(60)
        leader.kill()


def run(root: Path, failure: str, environment: str, backport: str | None, spares: CommandSpares | None) -> Result:
    """One command."""
    cell = make_cell(PROJECT.catalog[failure].failure, environment, backport=backport)
    (result,) = Session(PROJECT, Store(root), Options(), spares=spares).run([cell])
    assert result.newest.launcher == "warm", result.newest.fault
    return result


def next_spare(spares: CommandSpares) -> ListedSpare:
    """The spare that the last command ordered, once it is ready."""
    spares.order()
    folder = SparesFolder.of(spares.cache)
    assert folder is not None
    deadline = time.monotonic() + READY_SECONDS
    wanted = spares.ordered[-1]
    while time.monotonic() < deadline and wanted.poll() is None:
        for spare in folder.listed():
            if spare.pid == wanted.pid and spare.phase is SparePhase.READY:
                folder.close()
                return spare
        time.sleep(0.05)
    pytest.fail("no spare was made")


def two_commands(root: Path, case: tuple[str, str, str | None], spares: CommandSpares) -> tuple[Result, Result]:
    """One that started a family of its own, and one that took the spare which the first ordered."""
    first = run(root / "first", *case, spares)
    next_spare(spares)
    second = run(root / "second", *case, spares)
    assert spares.ordered[-1].wait(60) == 0  # a spare ends with the command that took it
    return first, second


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (("pytorch-9003", TORCH, None), Verdict.REPRODUCED),
        (("filelock-9012", NUMPY_1, None), Verdict.REPRODUCED),
        (("pytorch-9005", TORCH, "cure"), Verdict.ABSENT),
        (("pytorch-9006", TORCH, None), Verdict.REPRODUCED),
    ],
    ids=["set", "numpy", "bound-cured", "variable"],
)
def test_the_right_verdict(
    tmp_path: Path, spares: CommandSpares, case: tuple[str, str, str | None], verdict: Verdict
) -> None:
    """The order of sets, the state of numpy, what a backport binds, variables that imports read."""
    alone, result = two_commands(tmp_path, case, spares)
    assert result.verdict is verdict, result.judgement
    assert result.newest.launcher_key == alone.newest.launcher_key
    assert facts(result.newest) == facts(alone.newest)


def facts(run: Observation) -> object:
    """What a run shows beside times and what is random in it."""
    return [
        (rank.exit_code, rank.error and (rank.error.type, rank.error.frames), rank.gates, rank.finished, rank.imported)
        for rank in run.ranks
    ]


def test_runs_are_independent(tmp_path: Path, spares: CommandSpares) -> None:
    """Two commands with spares, and two without: hash seeds and what every generator draws differ in all of them."""
    runs = [
        result
        for name in ("one", "two")
        for result in two_commands(tmp_path / name, ("pytorch-9007", TORCH, None), spares)
    ]
    measured = [result.newest.ranks[0].measured for result in runs]
    assert len({facts["hash"] for facts in measured}) == len(runs)
    drawn = [number for facts in measured for number in facts["drawn"]]
    assert len(set(drawn)) == len(drawn)


def test_a_command_of_another_environment_takes_none(tmp_path: Path, spares: CommandSpares) -> None:
    """The spare stays for those that want it."""
    run(tmp_path / "first", "pytorch-9003", TORCH, None, spares)
    spare = next_spare(spares)
    run(tmp_path / "other", "filelock-9012", NUMPY_1, None, spares)
    assert spares.ordered[-1].poll() is None
    assert end_spares(spares.cache)
    assert spares.ordered[-1].wait(60) == 0
    assert spare.pid == spares.ordered[-1].pid
