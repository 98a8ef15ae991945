"""Safely reads the files of a rank.  A rank may leave anything in its folder: pipes, gigabytes, damaged text.

These are the limits; a rank that exceeds one is ``unrunnable``, with the reason, and its session goes on:

    output of one rank              32 MiB; the run is ended soon after it is exceeded
    everything in a run's folder    8 GiB on disk; likewise
    journal of one rank             4 MiB
    stack dump                      1 MiB
    JSON in a journal or a value    64 levels deep
    a measurement                   64 KiB of text
    measurements of one rank        200
    an exception's message          4,000 characters (longer ones are cut)
    exceptions in a chain           16, with 200 frames each
    oracle's words                  2,000 characters (longer ones are cut)
    end of the output that is kept  4,000 characters
"""

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MIB = 1 << 20
MAX_OUTPUT_BYTES = 32 * MIB
MAX_FOLDER_BYTES = 8 << 30
MAX_FOLDER_FILES = 100_000
MAX_JOURNAL_BYTES = 4 * MIB
MAX_STACK_BYTES = MIB
MAX_DEPTH = 64
MAX_VALUE_CHARACTERS = 64 << 10
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?')
_BRACKETS = re.compile(r"[\[\]{}]")


class UntrustedError(ValueError):
    """A rank's file is damaged, malformed or too large; the message is the reason in one line."""


def read_bytes(file: Path, most: int, *, tail: bool = False) -> tuple[bytes, int]:
    """At most this many bytes from the start or the end of a regular file, and the file's size.

    It never blocks, as opening a pipe would.  A missing file is empty.  Raises UntrustedError for anything else than a
    regular file.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return b"", 0
    except OSError as error:
        raise UntrustedError(f"{file.name} cannot be read: {error.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UntrustedError(f"{file.name} is not a regular file")
        if tail and facts.st_size > most:
            os.lseek(descriptor, facts.st_size - most, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return stream.read(most), facts.st_size
    except OSError as error:
        raise UntrustedError(f"{file.name} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def text_of(content: bytes) -> str:
    """The content as storable text; carriage returns, such as those of progress bars, become newlines."""
    return content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def cut(text: str, most: int) -> str:
    """The text, cut with an ellipsis if it is longer."""
    return text if len(text) <= most else text[: most - 3] + "..."


def storable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode("utf-8")


def parse_json(text: str) -> Any:
    """A JSON value that can be stored again.

    NaN and infinities become text.  Raises ValueError for invalid JSON, UntrustedError if it is nested too deeply.
    """
    if _nested_too_deeply(text):
        raise UntrustedError(f"JSON is nested more than {MAX_DEPTH} levels deep")
    value = json.loads(text, parse_constant=str, parse_float=_number)
    return json.loads(storable(json.dumps(value, ensure_ascii=False)))


def _nested_too_deeply(text: str) -> bool:
    """True if brackets outside of strings nest deeper than MAX_DEPTH, which could exhaust the stack of json."""
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def excess(folder: Path) -> str | None:
    """Why a run must be ended because of what it has written, or None.  Fast enough to be called every second."""
    total = files = 0
    for entry in _entries(folder):
        try:
            facts = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # removed in the meantime
        files += 1
        total += facts.st_blocks * 512
        if entry.name.startswith("rank") and entry.name.endswith((".log", ".jsonl")):
            most = MAX_OUTPUT_BYTES if entry.name.endswith(".log") else MAX_JOURNAL_BYTES
            if facts.st_size > most and Path(entry.path).parent == folder:
                what = "output" if entry.name.endswith(".log") else "events"
                rank = entry.name.removeprefix("rank").partition(".")[0]
                return f"rank {rank} wrote more than {most // MIB} MiB of {what}"
        if entry.name == "launcher.log" and facts.st_size > MAX_OUTPUT_BYTES:
            return f"the launcher wrote more than {MAX_OUTPUT_BYTES // MIB} MiB of output"
        if total > MAX_FOLDER_BYTES:
            return f"the run wrote more than {MAX_FOLDER_BYTES >> 30} GiB to disk"
        if files > MAX_FOLDER_FILES:
            return f"the run made more than {MAX_FOLDER_FILES} files"
    return None


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All files below a folder, starting with its own; links are not followed."""
    waiting = [str(folder)]
    while waiting:
        inner: list[str] = []
        for place in waiting:
            try:
                with os.scandir(place) as listed:
                    for entry in listed:
                        if entry.is_dir(follow_symlinks=False):
                            inner.append(entry.path)
                        else:
                            yield entry
            except OSError:
                continue
        waiting = inner
