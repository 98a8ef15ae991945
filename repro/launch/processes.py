"""Starts process trees, waits for them with a deadline, and ends all of them.

torchrun starts every rank in a session of its own, so killing torchrun's process group is not enough, and what
a rank started may outlive it.  All of a run is found: as descendants, by the process ids that the ranks wrote down
themselves, and by the run's folder, in which they work and which is their ``TMPDIR``.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

TERM_GRACE_SECONDS = 10.0
DUMP_PAUSE_SECONDS = 3.0
DUMP_WAIT_SECONDS = 2.0
POLL_SECONDS = 0.05
CLOCK_SECONDS = 2.0
"""How far the start of a process may seem to lie after what it wrote down itself."""
KILL_ROUNDS = 5
"""A process that is being killed may have started another."""
PR_SET_PDEATHSIG = 1
# Loaded here: nothing may be imported between fork and exec of a process with threads.
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Command:
    """The root of a process tree: its words, and all of its variables."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Ended:
    """How a run's process trees ended."""

    code: int | None
    """Exit code of the root that failed first, or 0; negative for a signal; None if it never started."""
    seconds: float
    deadline_passed: bool
    interrupted: bool


def die_with_parent() -> None:
    """In a new child: ask the kernel to end it when the harness dies, even by SIGKILL (Linux)."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run_tree(commands: Sequence[Command], folder: Path, timeout: float, stop: threading.Event) -> Ended:
    """Run commands side by side in ``folder`` until they end, the deadline passes or ``stop`` is set.

    When one of them fails, the others are ended, as torchrun does with ranks.  Output goes to ``launcher.log``.
    At the deadline the ranks' stacks are dumped twice before all of the trees are ended.  Raises OSError if a
    command cannot be started.
    """
    started = time.monotonic()
    deadline = started + timeout
    deadline_passed = interrupted = False
    failed: int | None = None
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "launcher.log").open("wb") as log:
            for command in commands:
                processes.append(_start(command, folder, log))  # noqa: PERF401 - each must be known if the next cannot start
        while True:
            codes = [process.poll() for process in processes]
            failed = next((code for code in codes if code), None)
            if failed is not None or None not in codes:
                break
            if stop.is_set():
                interrupted = True
                break
            if time.monotonic() > deadline:
                deadline_passed = True
                dump_stacks(folder)
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                processes[codes.index(None)].wait(POLL_SECONDS)
    finally:
        end_trees(processes, folder)
    code = failed or next((process.returncode for process in processes if process.returncode), 0)
    return Ended(code, time.monotonic() - started, deadline_passed, interrupted)


def _start(command: Command, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv,
        env=dict(command.variables),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - only a system call
    )


def rank_processes(folder: Path) -> list[psutil.Process]:
    """The script processes that wrote down their start and still run."""
    found = []
    for file in sorted(folder.glob("rank*.jsonl")):
        try:
            first = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
            process = psutil.Process(int(first["pid"]))
            # Ids are used again: a process that began after the note is another one.
            if process.create_time() < float(first["time"]) + CLOCK_SECONDS and not _has_ended(process):
                found.append(process)
        except (OSError, ValueError, KeyError, IndexError, TypeError, psutil.Error):
            continue
    return found


def _of_run(folder: Path) -> list[psutil.Process]:
    """Every process that works in the run's folder or was started with it as its ``TMPDIR``."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()) == folder or process.environ().get("TMPDIR") == str(folder):
                found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def dump_stacks(folder: Path) -> None:
    """Make every rank write its Python stacks twice, some seconds apart: standing still is told from slow."""
    for number, pause in ((signal.SIGUSR1, DUMP_PAUSE_SECONDS), (signal.SIGUSR2, DUMP_WAIT_SECONDS)):
        for process in rank_processes(folder):
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        time.sleep(pause)


def end_trees(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """End process trees: TERM to all, grace, KILL; nothing of them is left running."""
    below: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            below += psutil.Process(process.pid).children(recursive=True)
    asked = [process for process in processes if process.poll() is None]
    for process in asked:
        process.terminate()
    deadline = time.monotonic() + TERM_GRACE_SECONDS
    for process in asked:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _kill(below)
    end_ranks(folder)


def end_ranks(folder: Path) -> None:
    """Kill what is left of a run after its launcher has gone: ranks, and whatever they started."""
    for _ in range(KILL_ROUNDS):
        left = [*rank_processes(folder), *_of_run(folder)]
        if not left:
            return
        _kill(left)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + TERM_GRACE_SECONDS
    while time.monotonic() < deadline and not all(_has_ended(process) for process in processes):
        time.sleep(POLL_SECONDS / 5)


def _has_ended(process: psutil.Process) -> bool:
    """Whether a process has gone, or only waits for an idle parent to take note."""
    try:
        return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.Error:
        return True
