"""Temporary folders of runs, named by their process, so that those of a killed process can be removed."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

PREFIX = "repro-run-"


def make_folder() -> Path:
    """A new folder for a run of this process; raises OSError."""
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")).resolve()


def sweep() -> int:
    """Remove the folders of processes that have ended; returns how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
