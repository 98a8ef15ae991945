"""The pre-commit hook and the composite action: their commands are run, with the package that is tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from repro.files import PACKAGE

ROOT = PACKAGE.parent
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
ACTION = yaml.safe_load((ROOT / ".github" / "actions" / "doctor" / "action.yml").read_text())
NAMED = "from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project, and a ``repro`` that runs this package."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "repro"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m repro "$@"\n')
    script.chmod(0o755)
    (tmp_path / "requirements.txt").write_text("torch==2.2.2\n")
    return tmp_path


def run(folder: Path, command: str, **variables: str) -> int:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize(
    ("text", "code"), [(NAMED, 1), ("x = 1\n", 0), ("import importlib\nimportlib.import_module(name)\n", 0)]
)
def test_hook(folder: Path, text: str, code: int) -> None:
    """It fails where a failure is listed and named, and passes where nothing is known."""
    (folder / "train.py").write_text(text)
    assert run(folder, f"{HOOK['entry']} {' '.join(HOOK['args'])}") == code


def test_hook_of_a_missing_file(folder: Path) -> None:
    (folder / "requirements.txt").unlink()
    assert run(folder, f"{HOOK['entry']} {' '.join(HOOK['args'])}") == 1


def test_action(folder: Path) -> None:
    """The last line of the action, after what it installs."""
    (folder / "train.py").write_text(NAMED)
    (step,) = ACTION["runs"]["steps"]
    *installs, last = step["run"].strip().splitlines()
    assert all("install" in line or "venv" in line for line in installs)
    defaults = {name: ACTION["inputs"][name]["default"] for name in ("from", "code", "sarif")}
    variables = {"SOURCE": defaults["from"], "CODE": defaults["code"], "SARIF": defaults["sarif"]}
    assert run(folder, last.replace('"$RUNNER_TEMP/repro/bin/repro"', "repro"), **variables) == 1
    assert json.loads((folder / "repro.sarif").read_text())["runs"][0]["results"]
