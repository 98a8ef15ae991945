"""``repro new``."""

from pathlib import Path

from repro.catalog.project import Project
from tests.unit.cli.calls import Call


def test_new(held: Project, call: Call) -> None:
    """A new failure can be parsed, and check names its questions; a second time nothing is overwritten."""
    address = "https://github.com/pytorch/pytorch/issues/1"
    code, out, err = call("new", "pytorch-1", "--upstream", address, "--kind", "silent")
    assert (code, err) == (0, "")
    assert {path.name for path in (held.failures / "pytorch-1").iterdir()} < {Path(line).name for line in out.split()}
    code, _, err = call("check")
    assert code == 2
    assert "failure.yaml:3: title: not answered: What goes wrong, in one line?" in err
    assert "matrix.yaml:" in err
    code, _, err = call("new", "pytorch-1", "--upstream", address)
    assert code == 2
    assert "is there already; nothing was written" in err


def test_launchers(held: Project, call: Call) -> None:
    """What starts the ranks, the default first; check asks about it, and about the configuration beside the script."""
    code, out, err = call("new", "pytorch-1", "--launcher", "accelerate", "--launcher", "torchrun")
    assert (code, err) == (0, "")
    assert f"{held.failures / 'pytorch-1' / 'accelerate.yaml'}" in out.splitlines()
    code, _, err = call("check")
    assert code == 2
    assert "accelerate.yaml:4: distributed_type: not answered: What does the user's file say?" in err
    assert "factors.0: not answered: Which of the launchers show it" in err
    code, _, err = call("new", "pytorch-2", "--launcher", "mpirun")
    assert code == 2
    assert "'mpirun' is not one of 'torchrun', 'accelerate', 'python'" in err
    code, _, err = call("new", "pytorch-2", "--launcher", "python", "--from-run", "log.jsonl")
    assert code == 2
    assert "its script is one job of torchrun" in err
