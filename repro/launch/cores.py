"""Counts the cores that this process may use, by its CPU affinity, quotas and Slurm allocation."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
SLURM_CORES = "SLURM_CPUS_ON_NODE"


def usable_cores(cgroups: Path = CGROUPS, own: Path = OWN_CGROUPS) -> int:
    """The number of cores that this process may use, at least 1: its CPU affinity, limited by its quota.

    Slurm counts the cores of a job on each node, also where it does not bind the job to them.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    bound = len(affinity(0)) if affinity else os.cpu_count() or 1
    allocated = os.environ.get(SLURM_CORES, "")
    counted = [int(allocated)] if allocated.isdecimal() else []
    return max(1, min([bound, *counted, *(int(quota) for quota in _quotas(cgroups, own))]))


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """The quotas, in cores, of this process's control groups and of their parents.

    Version 2 has one tree and states both numbers in ``cpu.max``; version 1 has a tree for each controller, and two
    files.  See "CPU" in the kernel's cgroup-v2.rst and "CFS Bandwidth Control" in sched-bwc.rst.
    """
    for line in _read(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        tree = cgroups / controllers if controllers else cgroups
        group = PurePosixPath(path.lstrip("/"))
        for inside in (group, *group.parents):
            folder = tree / inside
            yield from _quota(_read(folder / "cpu.max"))
            yield from _quota(f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}")


def _quota(text: str) -> Iterator[float]:
    """``200000 100000`` is 2 cores; ``max`` and ``-1`` mean no quota."""
    numbers = [word for word in text.split() if word.isdecimal() and int(word)]
    if len(numbers) == len(text.split()) == 2:  # noqa: PLR2004 - quota and period
        yield int(numbers[0]) / int(numbers[1])


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
