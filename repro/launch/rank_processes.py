"""Finds the processes of a run by the process ids that its ranks recorded, and by their working folder."""

import contextlib
import os
from pathlib import Path

import psutil

from repro.launch.untrusted import MAX_JOURNAL_BYTES, UntrustedError, parse_json, read_bytes, text_of

CLOCK_SECONDS = 2.0
"""The tolerance when the start of a process is compared with the time that it recorded."""
TAKEN: set[int] = set()
"""Processes that another process started for this one: what is below them is below the harness too."""


def ranks_of(folder: Path) -> dict[int, psutil.Process]:
    """The running script processes that recorded their start, by rank.

    A record is untrusted.  It counts only if it names a descendant of the harness or a process that works in the run's
    folder, so that a damaged record can never make the harness signal an unrelated process.
    """
    found = {}
    ours = {os.getpid(), *TAKEN}
    for file in sorted(folder.glob("rank*.jsonl")):
        number = file.name.removeprefix("rank").removesuffix(".jsonl")
        try:
            content, _ = read_bytes(file, MAX_JOURNAL_BYTES)
            first = parse_json(text_of(content).split("\n", 1)[0])
            process = psutil.Process(int(first["pid"]))
            # Process ids are reused: a process that began after the record is a different one.
            if process.create_time() >= float(first["time"]) + CLOCK_SECONDS or has_ended(process):
                continue
            if number.isdecimal() and (_is_of(process, folder) or ours & {p.pid for p in process.parents()}):
                found[int(number)] = process
        except (UntrustedError, ValueError, KeyError, IndexError, TypeError, OverflowError, psutil.Error):
            continue
    return found


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process whose working folder or ``TMPDIR`` is the run's folder."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of(process, folder)]


def _is_of(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        if Path(process.cwd()) == folder:
            return True
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get("TMPDIR") == str(folder)
    return False


def has_ended(process: psutil.Process) -> bool:
    """True if a process has ended, or is a zombie."""
    try:
        return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.Error:
        return True
