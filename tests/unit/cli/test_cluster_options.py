"""`repro run --on slurm`: what is asked of Slurm, and what does not go with it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.cli import execute
from repro.cli.cluster_options import ClusterOptions, RunsOn
from repro.launch.slurm.batches import SlurmOptions
from repro.model.cell import Cell
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE


class Played:
    """Plays a spread, and notes what it was asked."""

    def __init__(self) -> None:
        self.slurm: SlurmOptions | None = None
        self.cells: Sequence[Cell] = ()
        self.run_name = ""

    def __call__(self, *given: object, run_name: str | None) -> "Played":
        (self.slurm,) = (value for value in given if isinstance(value, SlurmOptions))
        self.run_name = str(run_name)
        return self

    def run(self, cells: Sequence[Cell]) -> list[object]:
        self.cells = cells
        return []


def test_options(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played()
    monkeypatch.setattr(execute, "Spread", played)
    words = ("--partition", "batch", "--account", "lab", "--cpus", "3", "--jobs", "5", "--slurm", "time=60")
    code, out, _ = call("run", FAILURE, "--env", "old", "--on", "slurm", *words, "--run-name", "n", "--gpus", "2")
    assert code == 3
    assert "no cell was run" in out
    assert played.slurm == SlurmOptions("batch", "lab", 2, 3, 5, (("time", "60"),))
    assert [cell.environment.label for cell in played.cells] == ["old"]
    assert played.run_name == "n"


@pytest.mark.parametrize(
    "words",
    [
        ("--jobs", "3"),
        ("--partition", "x"),
        ("--account", "x"),
        ("--gpus", "1"),
        ("--cpus", "1"),
        ("--slurm", "time=1"),
    ],
)
def test_without_a_cluster(call: Call, words: tuple[str, str]) -> None:
    code, _, error = call("run", FAILURE, *words)
    assert (code, error) == (2, f"repro: {words[0]} goes with --on slurm\n")


def test_an_interpreter_of_this_machine(call: Call) -> None:
    code, _, error = call("run", FAILURE, "--python", "/usr/bin/python3", "--on", "slurm")
    assert code == 2
    assert "python:/usr/bin/python3 is of this machine alone" in error


def test_a_search_of_a_script(call: Call, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("pass")
    code, _, error = call("bisect", str(script), "--good", "1", "--bad", "2", "--on", "slurm")
    assert (code, error) == (2, "repro: --on slurm goes with an id: a script of your own runs on this machine\n")


def test_a_watch_that_only_looks(call: Call) -> None:
    code, _, error = call("watch", "--on", "slurm")
    assert (code, error) == (2, "repro: --on slurm goes with --run\n")


def test_words() -> None:
    """What resumes a search sends its runs to the same place."""
    assert ClusterOptions().words == []
    options = ClusterOptions(on=RunsOn.SLURM, jobs=3, partition="batch", gpus=2, raw=["time=60"])
    assert options.words == [
        "--on",
        "slurm",
        "--jobs",
        "3",
        "--partition",
        "batch",
        "--gpus",
        "2",
        "--slurm",
        "time=60",
    ]


def test_a_command_without_clusters(call: Call) -> None:
    code, _, error = call("claims", FAILURE, "--on", "slurm")
    assert code == 2
    assert "--on" in error
