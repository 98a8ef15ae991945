"""Temporary folders of runs, named by the process that owns them, so that those of a killed one are found."""

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
    """Remove the folders whose owner is gone; returns how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
