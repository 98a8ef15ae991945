"""The workflows call commands that exist, with options that they have; the cheap ones are run."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command

from repro.catalog.project import Project
from repro.cli.app import app
from repro.files import PACKAGE
from tests.unit.cli.calls import Call
from tests.unit.cli.conftest import call, held  # noqa: F401 - fixtures

ROOT = PACKAGE.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yml"))}
VALUES = {"$SHARD": "1/2", "$RUN": "ci-1-1"}


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name}.{job}", step)
        for name, workflow in WORKFLOWS.items()
        for job, content in workflow["jobs"].items()
        for step in content["steps"]
    ]


def commands(program: str) -> list[list[str]]:
    """Every command line of a program in the workflows: its words after the program's name."""
    found = []
    for _, step in steps():
        for line in str(step.get("run", "")).replace("\\\n", " ").splitlines():
            words = [VALUES.get(word, word) for word in shlex.split(line)]
            if words and Path(words[0]).name == program:
                end = next((index for index, word in enumerate(words) if word in {">", ">>", "|"}), len(words))
                found.append(words[1:end])
    return found


class TestCommands:
    """Nothing in a workflow is only hoped to exist."""

    @pytest.mark.parametrize("words", commands("repro"), ids=" ".join)
    def test_repro(self, words: list[str]) -> None:
        """The command is there and takes these options."""
        group = get_command(app)
        context = typer.Context(group)
        name, command, rest = group.resolve_command(context, list(words))  # type: ignore[attr-defined]
        while hasattr(command, "commands"):
            name, command, rest = command.resolve_command(typer.Context(command), rest)
        assert command.make_context(name, rest, parent=context).params

    @pytest.mark.parametrize("words", commands("nox"), ids=" ".join)
    def test_nox(self, words: list[str]) -> None:
        """The session is there."""
        sessions = re.findall(r"@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text())
        assert words[0] == "--session"
        assert words[1] in sessions

    def test_all_are_there(self) -> None:
        """The commands that a schedule is made of, so that an empty list cannot pass."""
        called = {words[0] for words in commands("repro")}
        assert called == {"matrix", "run", "store", "report", "summary", "watch"}
        assert {words[1] for words in commands("nox")} == {"unit", "tests", "rot"}

    def test_cheap(self, held: Project, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
        """Those that run no failure do what the next step reads."""
        monkeypatch.chdir(tmp_path)
        assert json.loads(call("matrix", "--github", "--shards", "6")[1])["include"]
        assert call("report", "--html", "--junit", "junit.xml")[0] == 0
        assert call("summary", "--issues", "issues")[1].startswith("# Matrix")
        assert call("watch", "--max-age", "1")[0] == 3
        (tmp_path / "shard" / "data").mkdir(parents=True)
        assert call("store", "merge", "shard")[0] == 0
        assert (held.reports / "index.html").is_file()


STRANGERS = (
    {"number": 1, "user": {"login": "mallory"}, "labels": [{"name": "repro-matrix"}], "body": "`cause-1`"},
    {"number": 2, "user": {"login": "github-actions[bot]"}, "labels": [], "body": "`cause-1`"},
    {"number": 3, "user": {"login": "github-actions[bot]"}, "labels": [{"name": "repro-matrix"}], "body": "`cause-12`"},
    {"number": 4, "user": {"login": "github-actions[bot]"}, "labels": [{"name": "repro-matrix"}], "body": None},
    {
        "number": 5,
        "user": {"login": "github-actions[bot]"},
        "labels": [{"name": "repro-matrix"}],
        "body": "`cause-1`",
        "pull_request": {},
    },
)
OURS = {
    "number": 6,
    "user": {"login": "github-actions[bot]"},
    "labels": [{"name": "x"}, {"name": "repro-matrix"}],
    "body": "Written by `repro summary`; `cause-1`",
}
GH = """#!/bin/bash
echo "$*" >> "$CALLS"
[ "$1" = api ] && jq --raw-output "${!#}" "$ISSUES"
exit 0
"""


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not there")
class TestIssues:
    """The step that opens and refreshes issues, run with a ``gh`` that notes its calls and filters as the real one."""

    def calls(self, folder: Path, *issues: dict[str, Any]) -> list[str]:
        step = next(step for where, step in steps() if where == "matrix.issues" and "gh " in str(step.get("run")))
        (folder / "bin").mkdir()
        (folder / "bin" / "gh").write_text(GH)
        (folder / "bin" / "gh").chmod(0o755)
        (folder / "issues").mkdir()
        (folder / "issues" / "cause-1.md").write_text("Title\n\nBody `cause-1`\n")
        (folder / "all.json").write_text(json.dumps(issues))
        environment = {name: value for name, value in step["env"].items() if "${{" not in value} | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(folder / "calls"),
            "ISSUES": str(folder / "all.json"),
            "GH_REPO": "owner/name",
        }
        subprocess.run(["bash", "-e", "-c", step["run"]], cwd=folder, env=environment, check=True, timeout=60)
        return (folder / "calls").read_text().splitlines()

    def test_strangers(self, tmp_path: Path) -> None:
        """An issue of somebody else, without our label or of another cause is never edited: one is opened."""
        calls = self.calls(tmp_path, *STRANGERS)
        assert not [line for line in calls if line.startswith("issue edit")]
        assert "issue create --label repro-matrix --title Title --body-file body.md" in calls

    def test_ours(self, tmp_path: Path) -> None:
        """The one that the workflow opened for this cause is refreshed."""
        calls = self.calls(tmp_path, *STRANGERS, OURS)
        assert "issue edit 6 --body-file body.md" in calls
        assert not [line for line in calls if line.startswith("issue create")]
        (listed,) = [line for line in calls if line.startswith("api ")]
        assert "labels=repro-matrix" in listed
        assert "creator=github-actions[bot]" in listed


class TestSafety:
    """Rights and pins."""

    def test_installs(self) -> None:
        """All that is installed stands in the lock with its hashes; the project itself is built from the checkout."""
        texts = [str(step.get("run", "")) for _, step in steps()]
        assert not [text for text in texts if re.search(r"\buv (?:pip|tool|run)\b|\bpipx\b|\bnpm\b", text)]
        found = [match for text in texts for match in re.findall(r"\bpip\d? +(.*)", text)]
        locked = "install --require-hashes -r .ci/requirements.txt"
        assert set(found) == {locked, "install --no-deps --no-build-isolation -e ."}
        for workflow in WORKFLOWS.values():
            for job in workflow["jobs"].values():
                runs = " ".join(str(step.get("run", "")) for step in job["steps"])
                if re.search(r"\b(?:nox|repro) ", runs.replace("repro-", "")) and "gh api" not in runs:
                    assert locked in runs

    @pytest.mark.parametrize(("where", "step"), [item for item in steps() if "uses" in item[1]])
    def test_pinned(self, where: str, step: dict[str, Any]) -> None:
        """Every action by a full commit, with its release beside it; no token stays in the checkout."""
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), where
        if "checkout" in step["uses"]:
            assert step["with"]["persist-credentials"] is False

    def test_releases_beside_pins(self) -> None:
        text = "".join(file.read_text() for file in FOLDER.glob("*.yml"))
        assert len(re.findall(r"uses: ", text)) == len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", text))

    @pytest.mark.parametrize("name", list(WORKFLOWS))
    def test_rights(self, name: str) -> None:
        """Reading only; issues are written by one job, and only if a person switched it on; every job has a limit."""
        workflow = WORKFLOWS[name]
        assert set(workflow["permissions"].values()) == {"read"}
        for job, content in workflow["jobs"].items():
            assert content["timeout-minutes"]
            writes = [right for right, level in content.get("permissions", {}).items() if level == "write"]
            assert writes == (["issues"] if (name, job) == ("matrix", "issues") else [])
        if name == "matrix":
            assert "inputs.issues || vars.REPRO_ISSUES == 'on'" in workflow["jobs"]["issues"]["if"]
            assert workflow[True]["workflow_dispatch"]["inputs"]["issues"]["default"] is False

    def test_no_interpolation_in_scripts(self) -> None:
        """Values reach a script as variables: text put into it would be run."""
        for where, step in steps():
            assert "${{" not in str(step.get("run", "")), where
