"""The cores that a process may use."""

import os
from pathlib import Path

import pytest

from repro.launch.cores import usable_cores


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def cores(root: Path, own: str, files: dict[str, str]) -> int:
    for name, text in files.items():
        file = root / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "own").write_text(own)
    return usable_cores(root / "cgroup", root / "own")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("", {}, 8),
        ("0::/job\n", {"job/cpu.max": "max 100000\n"}, 8),
        ("0::/job\n", {"job/cpu.max": "200000 100000\n"}, 2),
        ("0::/job/step\n", {"job/cpu.max": "300000 100000\n", "job/step/cpu.max": "max 100000\n"}, 3),
        ("0::/job\n", {"cpu.max": "400000 100000\n", "job/cpu.max": "600000 100000\n"}, 4),
        ("0::/job\n", {"other/cpu.max": "100000 100000\n"}, 8),
        ("0::/job\n", {"job/cpu.max": "250000 100000\n"}, 2),
        ("0::/job\n", {"job/cpu.max": "50000 100000\n"}, 1),
        ("0::/job\n", {"job/cpu.max": "1600000 100000\n"}, 8),
        ("0::/job\n", {"job/cpu.max": "nonsense\n"}, 8),
        (
            "4:memory:/m\n3:cpu,cpuacct:/job\n",
            {"cpu,cpuacct/job/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"},
            2,
        ),
        (
            "3:cpu:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
            8,
        ),
    ],
)
def test_quota(tmp_path: Path, own: str, files: dict[str, str], expected: int) -> None:
    """The smallest quota of the group and of those around it, in whole cores, in both versions of control groups."""
    assert cores(tmp_path, own, files) == expected


def test_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler such as Slurm binds a job to some cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5}, raising=False)
    assert cores(tmp_path, "", {}) == 2


def test_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that bind nobody say how many cores there are."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores(tmp_path, "", {}) == 3


@pytest.mark.parametrize(("allocated", "expected"), [("2", 2), ("99", 8), ("0", 1), ("", 8), ("x", 8)])
def test_a_slurm_job_has_its_own_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allocated: str, expected: int
) -> None:
    """Also where Slurm does not bind it to them."""
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", allocated)
    assert cores(tmp_path, "", {}) == expected
