"""`repro draft` on the command line."""

import json
from pathlib import Path

from repro.catalog.project import Project
from repro.model.answers.evidence import DraftAnswer
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE, cell, failed
from tests.unit.report.test_write import stored


def test_draft(held: Project, call: Call, tmp_path: Path) -> None:
    """Files are written, and JSON says which; `--static` starts nothing and is no fault."""
    stored(held, cell(), failed(0), failed(1))
    out = tmp_path / "out"
    code, told, _ = call("draft", FAILURE, "--for", "lightning", "--static", "--out", str(out), "--json")
    content = json.loads(told)
    assert DraftAnswer.model_validate(content).tracker == "lightning"
    assert (code, content["format"], content["for"], content["environment"]) == (0, 1, "lightning", "old")
    assert {file.name for file in out.iterdir()} == set(content["files"])
    assert content["characters"] < 65_536


def test_environment_is_not_there(held: Project, call: Call, tmp_path: Path) -> None:
    """An environment that cannot be built leaves the draft without its words: exit code 3, and it is said."""
    stored(held, cell(), failed(0), failed(1))
    held.environments.built.parent.mkdir(parents=True, exist_ok=True)
    held.environments.built.write_text("in the way")
    code, told, _ = call("draft", FAILURE, "--for", "lightning", "--out", str(tmp_path / "out"))
    assert code == 3
    assert "the versions come from the stored run" in told
    assert "gave nothing" in (tmp_path / "out" / "issue.md").read_text()


def test_mistakes(call: Call) -> None:
    """Misspelt names, and a failure that no stored run shows."""
    assert call("draft", "lightnig-19492", "--for", "lightning")[0] == 2
    assert call("draft", FAILURE, "--for", "lightnin")[0] == 2
    code, _, error = call("draft", FAILURE, "--for", "lightning")
    assert code == 3
    assert "run `repro run" in error
