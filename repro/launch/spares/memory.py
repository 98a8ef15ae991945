"""How much memory spares may hold."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import psutil

from repro.launch.cores import CGROUPS, OWN_CGROUPS

SHARE = 0.25
"""The part of the memory that would be free without spares that all of them together may hold."""
_NO_LIMIT = 1 << 60


def have_room(held: int, free: int) -> bool:
    """True if spares that hold so many bytes may stay while so many are free."""
    return held <= SHARE * (free + held)


def held_by(roots: Iterable[int]) -> int:
    """The bytes that these processes and all below them hold; what several share counts once, in parts."""
    processes: dict[int, psutil.Process] = {}
    for pid in roots:
        try:
            process = psutil.Process(pid)
            processes |= {found.pid: found for found in (process, *process.children(recursive=True))}
        except psutil.Error:
            continue
    return sum(_held(process) for process in processes.values())


def _held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, OSError):
        return 0


def free_memory(cgroups: Path = CGROUPS, own: Path = OWN_CGROUPS) -> int:
    """The bytes that are free on this machine, or in this process's control group where that has fewer."""
    return min([psutil.virtual_memory().available, *_free_in_groups(cgroups, own)])


def _free_in_groups(cgroups: Path, own: Path) -> list[int]:
    """What the limits of this process's control groups, version 1 or 2, leave free."""
    found = []
    for line in _read(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        tree = cgroups / controllers if controllers else cgroups
        group = PurePosixPath(path.lstrip("/"))
        for inside in (group, *group.parents):
            limit, used = (_read(tree / inside / name).strip() for name in names)
            if limit.isdecimal() and used.isdecimal() and int(limit) < _NO_LIMIT:
                found.append(max(0, int(limit) - int(used) + _cached(_read(tree / inside / "memory.stat"))))
    return found


def _cached(statistics: str) -> int:
    """The bytes of files in memory that the kernel gives back when they are needed."""
    counts = dict(line.split(maxsplit=1) for line in statistics.splitlines() if " " in line)
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
