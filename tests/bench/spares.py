"""How long a second command takes, side by side: without spares, and with one that an earlier command ordered.

    python -m tests.bench.spares --out reports/measurements/spares.json

Of each cell, in turns: the verdict alone, as a session gives it on an environment that was verified before; the same
where the command has made the imports itself before, as for its second cell; and the whole command ``repro run ID --env
NAME --fresh`` as a user types it, with its start, the verification of the environment and the reports of a store with
this one failure.  Between two measurements the spare is made again.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter
from repro.launch.session import Options, Session
from repro.launch.spares.client import KEEP_WARM, CommandSpares
from repro.launch.spares.memory import held_by
from repro.launch.spares.place import ListedSpare, SparePhase, SparesFolder, end_spares
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell, make_cell
from repro.store.observations import Store
from tests.bench.figures import publish

PROJECT = Project.here()
CELLS = {
    "torch alone": ("pytorch-126881", "torch-2.13"),
    "transformers": ("transformers-36626", "transformers-4.49.0-torch-2.13"),
}
MINUTES = 30
READY_SECONDS = 240


def next_spare(cache: Path) -> ListedSpare:
    """The spare that the last command ordered, once it is ready."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        folder = SparesFolder.of(cache)
        found = [spare for spare in folder.listed() if spare.phase is SparePhase.READY] if folder else []
        if folder:
            folder.close()
        if found:
            return found[0]
        time.sleep(0.05)
    raise SystemExit("no spare was made")


def verdict_seconds(
    cell: Cell, interpreter: Interpreter, spares: CommandSpares | None, warm: WarmLauncher | None = None
) -> float:
    """The seconds from the start of a session to its result."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        session = Session(PROJECT, store, Options(), provide=lambda _: interpreter, warm=warm, spares=spares)
        began = time.monotonic()
        session.run([cell])
        return time.monotonic() - began


def second_cell_seconds(cell: Cell, interpreter: Interpreter) -> float:
    """The same where the imports were made before: what a spare can reach at best."""
    with WarmLauncher(late=True) as warm:
        warm.prepare(cell, PROJECT.catalog[cell.failure], interpreter, threading.Event())
        return verdict_seconds(cell, interpreter, None, warm)


def command_seconds(cell: Cell, reports: Path, minutes: int) -> float:
    """The seconds of one cell as a user runs it."""
    words = [sys.executable, "-m", "repro", "run", cell.failure, "--env", cell.environment.label, "--fresh"]
    began = time.monotonic()
    subprocess.run(
        [*words, "--reports", str(reports)],
        env=os.environ | {KEEP_WARM: str(minutes)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.monotonic() - began


def measured(cell: Cell, rounds: int, reports: Path) -> dict[str, object]:
    """A cell's times, in turns, and the memory of its spare."""
    times: dict[str, list[float]] = {
        name: []
        for name in ("verdict", "verdict with a spare", "verdict of a second cell", "command", "command with a spare")
    }
    ready: list[float] = []
    command_seconds(cell, reports, MINUTES)
    held = held_by([next_spare(PROJECT.cache).pid])
    for _ in range(rounds):
        for minutes in (0, MINUTES):
            interpreter = PROJECT.environments.interpreter(cell.environment.label)
            spares = CommandSpares(PROJECT.cache, minutes) if minutes else None
            name = "verdict with a spare" if minutes else "verdict"
            times[name].append(verdict_seconds(cell, interpreter, spares))
            if spares is not None:
                began = time.monotonic()
                spares.order()
                next_spare(PROJECT.cache)
                ready.append(time.monotonic() - began)
            else:
                times["verdict of a second cell"].append(second_cell_seconds(cell, interpreter))
            times["command with a spare" if minutes else "command"].append(command_seconds(cell, reports, minutes))
            if minutes:
                next_spare(PROJECT.cache)
    end_spares(PROJECT.cache)
    return {
        "cell": cell.label,
        "median_seconds": {name: round(statistics.median(found), 3) for name, found in times.items()},
        "seconds": {name: [round(one, 3) for one in found] for name, found in times.items()},
        "seconds_until_the_next_spare_is_ready": round(statistics.median(ready), 1),
        "spare_megabytes": round(held / 1e6),
    }


def main() -> None:
    """Measure, print the numbers, and write them where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each measurement")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON (format 1)")
    options = parser.parse_args()
    end_spares(PROJECT.cache)
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder).resolve() / "reports"
        found = {
            name: measured(make_cell(PROJECT.catalog[failure].failure, environment), options.rounds, reports)
            for name, (failure, environment) in CELLS.items()
        }
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    publish(
        {"format": 1, "machine": machine, "rounds": options.rounds, "load": os.getloadavg()[1], **found}, options.out
    )


if __name__ == "__main__":
    main()
