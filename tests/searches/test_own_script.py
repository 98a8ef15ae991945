"""A user's own script on real releases: packaging 22.0 refuses version texts that 21.3 accepted."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.environments.test_development import BACKEND, PROJECT, git

SCRIPT = '''\
"""Has its own process group, reads a file beside itself, prints much, and ends with sys.exit."""

import sys

import torch
import torch.distributed as dist
from packaging.version import parse


def main() -> int:
    dist.init_process_group("gloo")
    total = torch.ones(2)
    dist.all_reduce(total)
    for step in range(200):
        print(f"step {step}, loss {1 / (step + 1):.4f}")
    with open("release.txt", encoding="utf-8") as file:
        print(parse(file.read().strip()))
    with open(f"out{dist.get_rank()}.txt", "x", encoding="utf-8") as file:
        file.write(" ".join(sys.argv[1:]))
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
'''


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "release.txt").write_text("v2-nightly.of.today\n")
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\nnumpy==2.2.3\n")
    file = tmp_path / "train.py"
    file.write_text(SCRIPT)
    return file


def test_bisects_and_leaves_the_folder_as_it_was(script: Path) -> None:
    before = {file.name: file.read_bytes() for file in script.parent.iterdir()}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "repro", "bisect", "train.py", "--package", "packaging"),
            *("--good", "21.3", "--bad", "22.0", "--requirements", "requirements.txt", "--", "--steps", "2"),
        ],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "judged by InvalidVersion in __init__ of packaging, on every rank" in done.stdout
    assert "packaging 22.0 of 2022-12-07 is the first release with which train.py fails" in done.stdout
    assert "advice      cap: packaging<22.0" in done.stdout
    after = {file.name: file.read_bytes() for file in script.parent.iterdir() if file.is_file()}
    assert after == before


@pytest.mark.whole
def test_a_local_repository(script: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A search keeps the commit of its beginning, resumed too; blame tells two commits apart; no log names a folder."""
    folder = tmp_path_factory.mktemp("secret") / "tinyrepo"
    folder.mkdir()
    for name, text in {"pyproject.toml": PROJECT, "backend.py": BACKEND, "tinylib.py": "answer = 1\n"}.items():
        (folder / name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    first = git(folder, "rev-parse", "HEAD")
    source = f"tinylib @ git+file://{folder}@"
    stack = "torch==2.13.0\nnumpy==2.2.3\n"
    (script.parent / "requirements.txt").write_text(f"{stack}{source}main\n")
    script.write_text(
        SCRIPT.replace("    total =", "    import tinylib\n\n    assert tinylib.answer == 1\n    total =")
    )
    ends = ("--package", "packaging", "--good", "21.3", "--bad", "22.0")
    assert _repro(script, "bisect", "train.py", *ends, "--requirements", "requirements.txt").returncode == 0
    (log,) = (script.parent / "repro-runs").rglob("bisect-*.jsonl")
    lines = log.read_text().splitlines()
    assert first in lines[0]
    assert "secret" not in log.read_text()
    log.write_text("\n".join(lines[:2]) + "\n")

    (folder / "tinylib.py").write_text("answer = 2\n")
    git(folder, "commit", "-qam", "two")
    again = ("bisect", "train.py", "--resume", str(log))
    done = _repro(script, *again)
    assert done.returncode == 2
    assert "has a local development version: give the --requirements or the --base of the search again" in done.stderr
    done = _repro(script, *again, "--requirements", "requirements.txt")
    assert done.returncode == 0, done.stderr
    assert "packaging 22.0 of 2022-12-07 is the first release with which train.py fails" in done.stdout

    (script.parent / "release.txt").write_text("1.0\n")
    (script.parent / "good.txt").write_text(f"{stack}packaging==21.3\n{source}{first}\n")
    (script.parent / "bad.txt").write_text(f"{stack}packaging==22.0\n{source}main\n")
    done = _repro(script, "blame", "train.py", "--from", "good.txt", "--to", "bad.txt")
    assert done.returncode == 0, done.stderr
    assert "cause       tinylib, alone" in done.stdout
    assert f"tinylib 1.0.dev0 (git+file:tinyrepo@{first[:12]}) → 1.0.dev0 (git+file:tinyrepo@" in done.stdout
    assert "release     tinylib: a development version" in done.stdout


def _repro(script: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "repro", *words]
    return subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
