"""Starts process trees, waits for them with a deadline, and ends all of them.

Each command runs under a *keeper* (``keeper.py``), which outlives the harness and ends every process below it.
Should the keeper itself be killed, what is left of a run is found in three other ways: as descendants, by the
process ids that the ranks wrote down, and by the run's folder, in which they work and which is their ``TMPDIR``.
"""

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from repro.files import kept
from repro.launch.untrusted import MAX_JOURNAL_BYTES, UntrustedError, excess, parse_json, read_bytes, text_of
from repro.model.observation import BetweenDumps

TERM_GRACE_SECONDS = 10.0
"""A process that was asked to end is killed after this time."""
KEEPER_SECONDS = 12.0
"""How much longer a keeper may take: it kills until nothing is left."""
DUMP_PAUSE_SECONDS = 3.0
"""Time between the two stack dumps; the ranks are watched in most of it."""
DUMP_WAIT_SECONDS = 5.0
"""A dump that has not been written by then is missing."""
SETTLE_SECONDS = 0.4
SAMPLE_SECONDS = 0.2
POLL_SECONDS = 0.05
EXCESS_POLL_SECONDS = 0.5
CLOCK_SECONDS = 2.0
"""How far the start of a process may seem to lie after what it wrote down itself."""
KILL_ROUNDS = 5
"""A process that is being killed may have started another."""
WATCHED = "between_dumps.json"
"""What ``dump_stacks`` saw of each rank; it lies beside the dumps."""


@dataclass(frozen=True)
class Command:
    """The root of a process tree: its argv, and all of its variables."""

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
    fault: str | None = None
    """Why the run was broken off, in one line, if neither the deadline nor the user did."""


def run_tree(commands: Sequence[Command], folder: Path, timeout: float, stop: threading.Event) -> Ended:
    """Run commands side by side in ``folder`` until they end, the deadline passes or ``stop`` is set.

    When one of them fails, the others are ended, as torchrun does with ranks.  Output goes to ``launcher.log``.
    At the deadline the ranks' stacks are dumped twice before all of the trees are ended.  A run that writes more
    than the limits of ``untrusted`` allow is ended too.  Raises OSError if a command cannot be started.
    """
    started = time.monotonic()
    deadline = started + timeout
    deadline_passed = interrupted = False
    fault: str | None = None
    failed: int | None = None
    watch = ExcessWatch(folder)
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
            fault = watch.fault()
            if fault:
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
    return Ended(code, time.monotonic() - started, deadline_passed, interrupted, fault)


class ExcessWatch:
    """Looks now and then whether a run writes too much."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = time.monotonic() + EXCESS_POLL_SECONDS

    def fault(self) -> str | None:
        """Why the run must be ended, or None; looks at most every half second."""
        if time.monotonic() < self._next:
            return None
        began = time.monotonic()
        found = excess(self._folder)
        # A run with very many files is not looked at all the time.
        self._next = time.monotonic() + EXCESS_POLL_SECONDS + 10 * (time.monotonic() - began)
        return found


def _start(command: Command, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    # The keeper starts in any case, so a command that cannot is found out first.
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


def rank_processes(folder: Path) -> list[psutil.Process]:
    """The script processes that wrote down their start and still run."""
    return list(_ranks(folder).values())


def _ranks(folder: Path) -> dict[int, psutil.Process]:
    """The running script processes by rank.

    A note is a rank's own word.  It is believed only if it names a process that the harness started, or one that
    works in the run's folder: a damaged note must not make the harness signal somebody else.
    """
    found = {}
    for file in sorted(folder.glob("rank*.jsonl")):
        number = file.name.removeprefix("rank").removesuffix(".jsonl")
        try:
            content, _ = read_bytes(file, MAX_JOURNAL_BYTES)
            first = parse_json(text_of(content).split("\n", 1)[0])
            process = psutil.Process(int(first["pid"]))
            # Ids are used again: a process that began after the note is another one.
            if process.create_time() >= float(first["time"]) + CLOCK_SECONDS or _has_ended(process):
                continue
            if number.isdecimal() and (_is_of(process, folder) or os.getpid() in {p.pid for p in process.parents()}):
                found[int(number)] = process
        except (UntrustedError, ValueError, KeyError, IndexError, TypeError, OverflowError, psutil.Error):
            continue
    return found


def _is_of(process: psutil.Process, folder: Path) -> bool:
    """True if a process works in the run's folder or was started with it as its ``TMPDIR``."""
    with contextlib.suppress(psutil.Error, OSError):
        if Path(process.cwd()) == folder:
            return True
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get("TMPDIR") == str(folder)
    return False


def _of_run(folder: Path) -> list[psutil.Process]:
    """Every process that belongs to the run's folder."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of(process, folder)]


def dump_stacks(folder: Path) -> None:
    """Make every rank write its Python stacks twice, some seconds apart, and watch what it does between.

    Two equal stacks alone do not show a hang: a rank may work in one long call, or in a loop.
    """
    ranks = _ranks(folder)
    _dump(folder, ranks, signal.SIGUSR1, 1)
    began = time.monotonic()
    watched = {number: _Watched(process) for number, process in ranks.items()}
    while time.monotonic() < began + max(0.0, DUMP_PAUSE_SECONDS - SETTLE_SECONDS):
        time.sleep(min(SAMPLE_SECONDS, DUMP_PAUSE_SECONDS))
        for rank in watched.values():
            rank.sample()
    seen = {number: rank.result(time.monotonic() - began) for number, rank in watched.items()}
    _dump(folder, ranks, signal.SIGUSR2, 2)
    content = {number: found.model_dump() for number, found in seen.items() if found is not None}
    # No rank may have made a pipe or a link of that name.
    with contextlib.suppress(OSError), (folder / WATCHED).open("x", encoding="utf-8") as file:
        json.dump(content, file)


def _dump(folder: Path, ranks: Mapping[int, psutil.Process], number: signal.Signals, dump: int) -> None:
    """Signal the ranks, and wait until each has written its dump or cannot be waited for any longer."""
    for process in ranks.values():
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
    deadline = time.monotonic() + DUMP_WAIT_SECONDS
    files = [folder / f"rank{rank}.stacks{dump}" for rank in ranks]
    while time.monotonic() < deadline and not all(_size(file) for file in files):
        time.sleep(POLL_SECONDS)
    time.sleep(SETTLE_SECONDS)  # a dump is written thread by thread


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


class _Watched:
    """Samples of one rank's process."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._first = _usage(process)
        self._running = 0
        self._stopped = False
        self.sample()

    def sample(self) -> None:
        """Note whether the main thread runs, or is stopped, at this moment."""
        with contextlib.suppress(psutil.Error):
            state = self._process.status()
            self._running += state == psutil.STATUS_RUNNING
            self._stopped = self._stopped or state in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}

    def result(self, seconds: float) -> BetweenDumps | None:
        """What the process did since the first sample; None if it has gone meanwhile."""
        last = _usage(self._process)
        if self._first is None or last is None:
            return None
        wakeups = last[1] - self._first[1] if last[1] is not None and self._first[1] is not None else None
        return BetweenDumps(
            seconds=round(seconds, 3),
            cpu_seconds=round(last[0] - self._first[0], 3),
            wakeups=wakeups,
            running=self._running,
            stopped=self._stopped,
        )


def _usage(process: psutil.Process) -> tuple[float, int | None] | None:
    """CPU seconds of all threads, and how often the main thread has gone to sleep (Linux counts it)."""
    try:
        times = process.cpu_times()
        cpu = times.user + times.system
        status = Path(f"/proc/{process.pid}/status")
        lines = status.read_text(encoding="utf-8", errors="replace").splitlines() if psutil.LINUX else []
    except (psutil.Error, OSError):
        return None
    counts = [line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches:")]
    return cpu, int(counts[0]) if counts else None


def end_trees(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """End process trees: TERM to all, grace, KILL; nothing of them is left running."""
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
    """True if a process has gone, or only waits for an idle parent to take note."""
    try:
        return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.Error:
        return True
