"""Finds the processes of a run: by the process ids that its ranks wrote down, and by the folder they work in."""

import contextlib
import os
from pathlib import Path

import psutil

from repro.launch.untrusted import MAX_JOURNAL_BYTES, UntrustedError, parse_json, read_bytes, text_of

CLOCK_SECONDS = 2.0
"""How far the start of a process may seem to lie after what it wrote down itself."""


def ranks_of(folder: Path) -> dict[int, psutil.Process]:
    """The script processes that wrote down their start and still run, by rank.

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
            if process.create_time() >= float(first["time"]) + CLOCK_SECONDS or has_ended(process):
                continue
            if number.isdecimal() and (_is_of(process, folder) or os.getpid() in {p.pid for p in process.parents()}):
                found[int(number)] = process
        except (UntrustedError, ValueError, KeyError, IndexError, TypeError, OverflowError, psutil.Error):
            continue
    return found


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that works in the run's folder or was started with it as its ``TMPDIR``."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of(process, folder)]


def _is_of(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        if Path(process.cwd()) == folder:
            return True
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get("TMPDIR") == str(folder)
    return False


def has_ended(process: psutil.Process) -> bool:
    """True if a process has gone, or only waits for an idle parent to take note."""
    try:
        return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.Error:
        return True
