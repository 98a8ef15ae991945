"""Starts process trees, waits for them until a deadline, and ends them completely.

Each command runs under a *keeper* (``keeper.py``), which outlives the harness and ends every process below it.
If the keeper itself is killed, the processes of a run are found in three other ways: as descendants, by the process
ids that ranks recorded, and by the run's folder, which is their working folder and their ``TMPDIR``.
"""

import contextlib
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from repro.files import kept
from repro.launch.guard import Ended, Guard, Limits
from repro.launch.rank_processes import has_ended, processes_of, ranks_of
from repro.launch.standstill import dump_stacks

TERM_GRACE_SECONDS = 10.0
"""A process that does not end when asked is killed after this time."""
KEEPER_SECONDS = 12.0
"""The additional time for a keeper, which kills until nothing is left."""
POLL_SECONDS = 0.05
KILL_ROUNDS = 5
"""The number of rounds, since a process that is being killed may start another."""


@dataclass(frozen=True)
class Command:
    """The root of a process tree: its argv and all its variables."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]


def run_tree(commands: Sequence[Command], folder: Path, world_size: int, limits: Limits) -> Ended:
    """Run commands side by side in ``folder`` until they end or must be ended.

    When one of them fails, the others are ended, as torchrun does with ranks.  Output goes to ``launcher.log``.
    The stacks of hanging ranks are dumped twice before the trees are ended.  Raises OSError if a command cannot be
    started.
    """
    guard = Guard(folder, world_size, limits)
    failed: int | None = None
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "launcher.log").open("wb") as log:
            for command in commands:
                processes.append(_start(command, folder, log))  # noqa: PERF401 - each must be known if the next cannot start
        while True:
            codes = [process.poll() for process in processes]
            failed = next((code for code in codes if code), None)
            if failed is not None or None not in codes or guard.must_end():
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                processes[codes.index(None)].wait(POLL_SECONDS)
        if guard.found_hang:
            dump_stacks(folder)
    finally:
        end_trees(processes, folder)
    return guard.ended(failed or next((process.returncode for process in processes if process.returncode), 0))


def _start(command: Command, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    # The keeper always starts, so a missing command must be detected first.
    if shutil.which(command.argv[0], path=command.variables.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command.argv[0])
    return subprocess.Popen(
        kept(command.argv, TERM_GRACE_SECONDS),
        env=dict(command.variables),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def end_trees(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """End process trees completely: TERM to all, a grace period, KILL."""
    below: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            below += psutil.Process(process.pid).children(recursive=True)
    asked = [process for process in processes if process.poll() is None]
    for process in asked:
        process.terminate()
    deadline = time.monotonic() + TERM_GRACE_SECONDS + KEEPER_SECONDS
    for process in asked:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _kill(below)
    end_ranks(folder)


def end_ranks(folder: Path) -> None:
    """Kill what is left of a run after its launcher ended: ranks and all that they started."""
    for _ in range(KILL_ROUNDS):
        left = [*ranks_of(folder).values(), *processes_of(folder)]
        if not left:
            return
        _kill(left)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + TERM_GRACE_SECONDS
    while time.monotonic() < deadline and not all(has_ended(process) for process in processes):
        time.sleep(POLL_SECONDS / 5)
