"""``repro check``."""

from repro.catalog.project import Project
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE


def test_check(held: Project, call: Call) -> None:
    """A project without a fault: 0; with one: 2 and the fault."""
    code, out, err = call("check")
    assert (code, err) == (0, "")
    assert "no fault" in out
    (held.locks / "extra.txt").write_text("")
    (held.failures / FAILURE / "placebo.py").unlink()
    code, _, err = call("check")
    assert code == 2
    assert "belongs to no environment" in err
    assert "placebo.py is missing" in err
