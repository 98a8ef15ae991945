"""Parts of a benchmark at once on a machine of many cores: each in a process of its own, bound to cores of its own."""

import json
import os
import queue
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORES = 2
"""Cores of each part: those of the smallest machine that the project is made for."""


@dataclass(frozen=True)
class Part:
    """A part of a benchmark."""

    label: str
    """Names its files."""
    options: tuple[str, ...]
    """Those with which the benchmark does this part alone."""


def run_parts(module: str, parts: Sequence[Part], folder: Path) -> list[dict[str, Any]]:
    """Run ``python -m MODULE OPTIONS --out FILE`` for each part; returns what the files hold.

    Each part has a cache of its own, so none waits for the cores of another.  A file that a part wrote before is kept:
    the part itself sees what is done.  Raises SystemExit, with the end of its output, if a part fails.
    """
    mine = sorted(os.sched_getaffinity(0))
    places = [mine[at : at + CORES] for at in range(0, len(mine) - CORES + 1, CORES)]
    free: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for place in places:
        free.put(place)
    folder.mkdir(parents=True, exist_ok=True)

    def run(part: Part) -> dict[str, Any]:
        place = free.get()
        os.sched_setaffinity(0, place)  # of this thread, and so of the process that it starts
        file, log = folder / f"{part.label}.json", folder / f"{part.label}.log"
        with log.open("wb") as output:
            done = subprocess.run(
                [sys.executable, "-m", module, *part.options, "--out", str(file)],
                env={**os.environ, "REPRO_CACHE": str(folder / f"{part.label}.cache")},
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        free.put(place)
        print(f"{part.label}: exit code {done.returncode}", flush=True)
        if done.returncode or not file.is_file():
            raise SystemExit(f"{part.label}: {log.read_text(errors='replace')[-1000:]}")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    with ThreadPoolExecutor(max(1, len(places))) as pool:
        return list(pool.map(run, parts))
