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
        for step in content.get("steps", [])  # a job that is a workflow of its own has none
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
        assert {words[1] for words in commands("nox")} == {"unit", "coverage", "tests", "rot"}

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


WRITES = {
    ("matrix", "issues"): ["issues"],
    ("matrix", "history"): ["contents"],
    ("floating", "history"): ["contents"],
    ("history", "keep"): ["contents"],
    ("floating", "propose"): ["contents", "pull-requests"],
}
"""The jobs that may write, and what."""
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
                runs = " ".join(str(step.get("run", "")) for step in job.get("steps", []))
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
        ours = len(re.findall(r"uses: \$/\.github/workflows/\w+\.yml\n", text))
        pinned = len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", text))
        assert len(re.findall(r"uses: ", text)) == ours + pinned

    @pytest.mark.parametrize("name", list(WORKFLOWS))
    def test_rights(self, name: str) -> None:
        """Reading only, but for the jobs in WRITES; every job has a limit."""
        workflow = WORKFLOWS[name]
        assert set(workflow["permissions"].values()) == {"read"}
        for job, content in workflow["jobs"].items():
            assert content.get("timeout-minutes") or content["uses"].startswith("$/.github/workflows/")
            writes = [right for right, level in content.get("permissions", {}).items() if level == "write"]
            assert writes == WRITES.get((name, job), [])

    @pytest.mark.parametrize(
        ("name", "job", "setting", "variable"),
        [
            ("matrix", "issues", "issues", "REPRO_ISSUES"),
            ("floating", "propose", "pull-request", "REPRO_PULL_REQUESTS"),
        ],
    )
    def test_switched_on(self, name: str, job: str, setting: str, variable: str) -> None:
        """Issues and pull requests are opened only if a person switched it on."""
        workflow = WORKFLOWS[name]
        assert f"inputs.{setting} || vars.{variable} == 'on'" in workflow["jobs"][job]["if"]
        assert workflow[True]["workflow_dispatch"]["inputs"][setting]["default"] is False

    def test_no_interpolation_in_scripts(self) -> None:
        """Values reach a script as variables: text put into it would be run."""
        for where, step in steps():
            assert "${{" not in str(step.get("run", "")), where


def git(*words: str, cwd: Path) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


class TestBranches:
    """The steps that push, run with a real git; a folder stands for the repository on GitHub."""

    def run(self, folder: Path, where: str, **changes: str) -> None:
        step = next(step for place, step in steps() if place == where and "git push" in str(step.get("run")))
        address = "https://x-access-token:secret@github.com/owner/name.git"
        environment = {name: value for name, value in step["env"].items() if "${{" not in value} | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "CALLS": str(folder / "calls"),
            "ISSUES": os.devnull,
            "GH_TOKEN": "secret",
            "GH_REPO": "owner/name",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{folder / 'github.git'}.insteadOf",
            "GIT_CONFIG_VALUE_0": address,
            **changes,
        }
        subprocess.run(["bash", "-e", "-c", step["run"]], cwd=folder / "job", env=environment, check=True, timeout=60)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "gh").write_text(GH)
        (tmp_path / "bin" / "gh").chmod(0o755)
        (tmp_path / "job").mkdir()
        git("init", "--quiet", "--bare", "github.git", cwd=tmp_path)
        return tmp_path

    def test_history_lasts(self, folder: Path) -> None:
        """The first run makes the branch, the next one adds to it, and one with nothing new changes nothing."""
        history = folder / "job" / "history"
        (history / "data").mkdir(parents=True)
        (history / "data" / "one.json").write_text("{}")
        (history / "matrix.md").write_text("not kept")
        self.run(folder, "history.keep", RUN="1")
        git("clone", "--quiet", "--branch", "repro-data", str(folder / "github.git"), "again", cwd=folder)
        assert sorted(file.name for file in (folder / "again").rglob("*.*") if ".git" not in file.parts) == ["one.json"]
        shutil.rmtree(history)
        (folder / "again").rename(history)
        self.run(folder, "history.keep", RUN="2")
        (history / "data" / "two.json").write_text("{}")
        self.run(folder, "history.keep", RUN="3")
        log = git("log", "--format=%s", "repro-data", cwd=folder / "github.git")
        assert log.split("\n") == ["Runs of 3", "Runs of 1", ""]

    def test_a_proposal_changes_locks_and_records_alone(self, folder: Path) -> None:
        """The patch was written beside foreign code: what it does to workflows or to our code is left out."""
        job = folder / "job"
        changed = {"matrix.yaml": True, "repro/locks/newest.txt": True, "repro/failures/a-1/failure.yaml": True}
        changed |= {".github/workflows/x.yml": False, "repro/failures/a-1/repro.py": False, "noxfile.py": False}
        git("init", "--quiet", cwd=job)
        for name in changed:
            (job / name).parent.mkdir(parents=True, exist_ok=True)
            (job / name).write_text("before\n")
        git("add", ".", cwd=job)
        git("commit", "--quiet", "--message", "start", cwd=job)
        for name in changed:
            (job / name).write_text("after\n")
        patch = git("diff", cwd=job)
        git("checkout", "--quiet", ".", cwd=job)
        (job / "proposal").mkdir()
        (job / "proposal" / "proposal.patch").write_text(patch)
        self.run(folder, "floating.propose", BASE="main")
        pushed = git("show", "--format=", "--name-only", "repro/new-releases", cwd=folder / "github.git").split()
        assert sorted(pushed) == sorted(name for name, kept in changed.items() if kept)
        assert "pr create --head repro/new-releases --base main" in (folder / "calls").read_text()

    def test_no_proposal(self, folder: Path) -> None:
        (folder / "job" / "proposal").mkdir()
        (folder / "job" / "proposal" / "proposal.patch").write_text("")
        self.run(folder, "floating.propose", BASE="main")
        assert not (folder / "calls").exists()
