"""A user's own script on real releases: packaging 22.0 refuses version texts that 21.3 accepted."""

import subprocess
import sys
from pathlib import Path

import pytest

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
