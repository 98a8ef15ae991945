"""How long verdicts take, side by side in one run: by hand, torchrun launcher, warm launcher.

    nox -s bench                      # all parts, prints a table and the machine
    nox -s bench -- --hand-cells 0 --rounds 1    # quicker: no fresh environments with pip

(a) by hand: a fresh venv, ``pip install`` of the lock, torchrun, for each cell (only ``--hand-cells`` of them);
(b) our torchrun launcher and (c) our warm launcher, over the same default cells, environments built before: the
founding failures, and cells about torch alone.  (c) is told with its imports, and once these are made.
"Overhead" is one cell against the same torchrun by hand on the same interpreter, in turns: through a session, which is
what each cell costs more, and as a whole ``repro run``, as it is and with ``--launcher torchrun``, which starts up and
writes the reports too.  The job's bootstrap and gates are the same on all sides, or the CPU could not run it at all.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.launch.job import prepare
from repro.launch.session import Options, Session
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.store.observations import Store
from repro.verdict.result import Result

PROJECT = Project.here()
FOUNDING = ("lightning-19492", "lightning-19281", "lightning-19267", "transformers-36626")


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of some work."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def by_hand(cell: Cell, python: Path, folder: Path) -> None:
    """The cell's torchrun as one would type it, without our launcher, observation, verdict or report."""
    entry = PROJECT.catalog[cell.failure]
    interpreter = PROJECT.environments.interpreter(cell.environment.label)
    job = prepare(cell, entry, interpreter, folder)
    with (folder / "hand.log").open("wb") as log:
        (agent,) = job.agents
        subprocess.run([python, *agent.argv[1:]], env=agent.variables, cwd=folder, stdout=log, stderr=log, check=False)


def fresh_by_hand(cell: Cell) -> None:
    """A fresh environment with venv and pip, then torchrun."""
    lock = PROJECT.environments.lock(cell.environment.label)
    torch = [lock.torch.without_hashes] if lock.torch else []
    requirements = [package.without_hashes for package in lock.libraries]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        python = folder / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *torch, *requirements], check=True)
        by_hand(cell, python, folder)


def ours(cells: Sequence[Cell], launcher: WarmLauncher | None = None) -> list[Result]:
    """The cells through a session of ours: torchrun where no warm launcher is given."""
    with tempfile.TemporaryDirectory() as name:
        return Session(PROJECT, Store(Path(name)), Options(warm=launcher is not None), warm=launcher).run(cells)


def parts(results: Sequence[Result]) -> dict[str, float]:
    """Where the time of a warm run goes, by medians over runs that fail: to the failure, and to the process's end."""
    runs = [(result.newest, result.newest.ranks[0]) for result in results]
    failing = [
        (run.seconds, rank.failed_at, rank.ended_at)
        for run, rank in runs
        if rank.failed_at is not None and rank.ended_at is not None
    ]
    return {
        "run_s": round(statistics.median(whole for whole, _, _ in failing), 3),
        "until_the_failure_s": round(statistics.median(failed for _, failed, _ in failing), 3),
        "end_of_the_process_s": round(statistics.median(ended - failed for _, failed, ended in failing), 3),
    }


def side_by_side(cells: Sequence[Cell], rounds: int) -> dict[str, object]:
    """Seconds a verdict through torchrun, and through the warm launcher with its imports and once they are made."""
    environments = {cell.environment for cell in cells}
    seen: dict[str, list[float]] = {"torchrun": [], "warm": [], "warm, imports made": []}
    for _ in range(rounds):
        seen["torchrun"].append(seconds(lambda: ours(cells)) / len(cells))
        with WarmLauncher(limit=2 * len(environments)) as launcher:
            seen["warm"].append(seconds(lambda kept=launcher: ours(cells, kept)) / len(cells))  # type: ignore[misc]
            began = time.monotonic()
            results = ours(cells, launcher)
            seen["warm, imports made"].append((time.monotonic() - began) / len(cells))
    medians = {name: statistics.median(times) for name, times in seen.items()}
    return {
        "cells": len(cells),
        # Each rank and the launcher itself import torch; warm ranks do so once an environment and world size.
        "imports": {
            "torchrun": sum(cell.world_size + 1 for cell in cells),
            "warm": sum(size for _, size in {(cell.environment, cell.world_size) for cell in cells}),
        },
        "seconds_a_verdict": {name: [round(time, 2) for time in times] for name, times in seen.items()},
        "verdicts_a_minute": {name: round(60 / median, 1) for name, median in medians.items()},
        "torchrun_over_warm": round(medians["torchrun"] / medians["warm"], 2),
        "torchrun_over_warm_imports_made": round(medians["torchrun"] / medians["warm, imports made"], 2),
        "warm_run_with_imports_made": parts(results),
    }


def whole_command(cell: Cell, reports: Path, *options: str) -> None:
    """One cell as a user runs it, beside all that is stored already."""
    subprocess.run(
        [
            *(sys.executable, "-m", "repro", "run", cell.failure, "--env", cell.environment.label),
            *("--fresh", "--reports", str(reports), *options),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def overhead(cell: Cell, rounds: int) -> dict[str, object]:
    """A session's torchrun, the command as it is, and the command with torchrun, against torchrun by hand, in turns."""
    python = PROJECT.environments.interpreter(cell.environment.label).executable
    times: dict[str, list[float]] = {"by hand": [], "session": [], "command": [], "command with torchrun": []}
    with tempfile.TemporaryDirectory() as name:
        reports = shutil.copytree(PROJECT.reports, Path(name).resolve() / "reports")
        for number in range(rounds):
            folder = reports.with_name(f"hand{number}")
            folder.mkdir()
            times["by hand"].append(seconds(lambda folder=folder: by_hand(cell, python, folder)))  # type: ignore[misc]
            times["session"].append(seconds(lambda: ours([cell])))
            times["command"].append(seconds(lambda: whole_command(cell, reports)))
            times["command with torchrun"].append(seconds(lambda: whole_command(cell, reports, "--launcher=torchrun")))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        "cell": cell.label,
        "seconds": {name: [round(time, 2) for time in taken] for name, taken in times.items()},
        "session_over_by_hand": round(medians["session"] / medians["by hand"], 3),
        "command_over_by_hand": round(medians["command"] / medians["by hand"], 3),
        "command_with_torchrun_over_by_hand": round(medians["command with torchrun"] / medians["by hand"], 3),
    }


def main() -> None:
    """Measure, print the numbers, and write them where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each measurement")
    parser.add_argument("--hand-cells", type=int, default=2, help="cells of part (a): each makes a fresh environment")
    parser.add_argument("--torch-cells", type=int, default=12, help="cells of the group about torch alone")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON (format 1)")
    options = parser.parse_args()
    cells = default_cells(PROJECT.matrix, PROJECT.catalog, lane=Lane.CPU)
    founding = [cell for cell in cells if cell.failure in FOUNDING]
    torch_only = [cell for cell in cells if cell.environment.label.startswith("torch-")][: options.torch_cells]
    for name in dict.fromkeys(cell.environment.label for cell in [*founding, *torch_only]):
        PROJECT.environments.interpreter(name, print)
    hand = [seconds(lambda cell=cell: fresh_by_hand(cell)) for cell in founding[: options.hand_cells]]  # type: ignore[misc]
    compared = side_by_side(founding, options.rounds)
    by_torchrun = 60 / compared["verdicts_a_minute"]["torchrun"]  # type: ignore[index]
    found = {
        "format": 1,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "rounds": options.rounds,
        "by_hand": {
            "seconds_a_verdict": [round(time, 1) for time in hand],
            "hand_over_torchrun": round(statistics.median(hand) / by_torchrun, 2) if hand else None,
        },
        "founding": compared,
        "torch_only": side_by_side(torch_only, options.rounds),
        "overhead": [overhead(cell, max(options.rounds, 5)) for cell in (founding[0], torch_only[0])],
    }
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
