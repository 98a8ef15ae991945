"""Caches texts that are made from a catalogue or a matrix, so that a short command need not load a record.

A text is used only if no file that was read, and none of our own files that make it, has changed since: its stamp is
a digest of their names, sizes and times.  One that is missing, damaged, stale or of another user is made again.

Light: this imports no model.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from repro.files import PACKAGE, read_text_file, write_whole
from repro.model.errors import UnreadableFileError

MAX_BYTES = 16_000_000
SETTLED_SECONDS = 2.0
"""A catalogue that changed later than so long ago is not cached: another change may leave the same times."""
MAKERS = ("catalog", "doctor", "model", "report")
"""Our packages that decide what a text says."""


def known_text(name: str, root: Path, cache: Path, make: Callable[[], str]) -> str:
    """The text of that name of the folder ``root`` and those in it: the cached one, else what ``make`` returns.

    Errors of ``make`` are its own; nothing is cached then.
    """
    try:
        stamp, changed = _stamp(root)
    except OSError:  # no catalogue, or one that changes now
        return make()
    began = time.time()
    file = cache / "texts" / f"{sha256(os.fsencode(root)).hexdigest()[:16]}-{name}"
    with suppress(OSError, UnreadableFileError):
        if _is_ours(file):
            head, _, text = read_text_file(file, MAX_BYTES).partition("\n")
            if head == _head(stamp, text):
                return text
    text = make()
    if changed < began - SETTLED_SECONDS:
        with suppress(OSError):
            write_whole(file, f"{_head(stamp, text)}\n{text}", mode=0o600)
    return text


def _head(stamp: str, text: str) -> str:
    """The first line of a cached text: it matches neither another stamp nor a damaged text."""
    return f"{stamp} {sha256(text.encode()).hexdigest()}"


def _is_ours(file: Path) -> bool:
    """True if nobody else could have written the file."""
    found = file.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _stamp(root: Path) -> tuple[str, float]:
    """The digest of all files that decide, and when the last of them was changed; raises OSError."""
    digest, changed = sha256(), 0.0
    below = sorted(path for path in root.iterdir() if path.is_dir())
    for folder in (PACKAGE, *(PACKAGE / name for name in MAKERS), root, *below):
        digest.update(b"%b\0" % os.fsencode(folder))
        for file in _read_files(folder):
            found = file.stat()
            changed = max(changed, found.st_ctime)
            times = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
            digest.update(b"%b %b\0" % (os.fsencode(file.name), times.encode()))
    return digest.hexdigest(), changed


def _read_files(folder: Path) -> list["os.DirEntry[str]"]:
    """The files of a folder that are read: records, scripts and code."""
    with os.scandir(folder) as entries:
        return sorted((file for file in entries if file.name.endswith((".yaml", ".py"))), key=lambda file: file.name)
