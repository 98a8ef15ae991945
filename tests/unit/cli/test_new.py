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
