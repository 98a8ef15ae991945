"""Reads a log that the user names, and answers."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import re2

from repro.catalog.project import Project
from repro.catalog.public_threads import reported_failures
from repro.doctor.log.flight_recorder import Dump, dumps_of, read_dump, starts_as_dump
from repro.doctor.log.lines import Extent, Line, read_lines
from repro.doctor.log.log_answer import LogAnswer
from repro.doctor.log.outcome import Known, Shown, answer
from repro.doctor.log.traces import Read, TraceReader
from repro.doctor.log.versions_said import SaidVersions
from repro.doctor.log.waits import waits_of
from repro.doctor.stack.stack import Stack
from repro.model.errors import UnreadableFileError, UsageError
from repro.model.failure import Failure

STANDARD_INPUT = Path("-")
_PIPES = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Paths of pipes, as shells pass them: ``--log <(kubectl logs job)``."""
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip archive", b"\x28\xb5\x2f\xfd": "a zstd archive"}


def known_of(project: Project, failures: Iterable[Failure]) -> Known:
    """These failures and the catalogue's public threads; raises RecordError if the file of threads is wrong."""
    return Known(tuple(failures), reported_failures(project))


class NotedLines:
    """Remembers the first line that each pattern matches."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self.found: dict[str, tuple[int, str | None, str]] = {}
        self._set: Any = None
        if self.patterns:
            self._set = re2.Set.SearchSet()
            for pattern in self.patterns:
                self._set.Add(pattern)
            self._set.Compile()

    def look(self, line: Line) -> None:
        """Note a line if it is the first match of a pattern."""
        if self._set is None or len(self.found) == len(self.patterns):
            return
        for index in self._set.Match(line.text) or ():
            self.found.setdefault(self.patterns[index], (line.number, line.rank, " ".join(line.text.split())[:300]))


def read_log(stream: BinaryIO, known: Known, stack: Stack | None = None) -> Shown:
    """Read a log once, in constant memory; ``stack`` holds the versions if they are known from elsewhere."""
    noted, said = NotedLines(known.texts), SaidVersions()

    def each(line: Line) -> None:
        noted.look(line)
        said.look(line)

    extent = Extent()
    read = TraceReader().read(read_lines(stream, known.texts, extent), each)
    notes = tuple(
        f"the log states several versions of {name}: {', '.join(versions[:5])}"
        for name, versions in (said.contradictions.items() if stack is None else ())
    )
    if extent.left_out:
        notes = (*notes, f"{extent.left_out} lines in the middle were not read: too many lines speak of errors")
    return Shown(read, extent.lines, stack or said.stack(), noted.found, notes)


def answer_log(file: Path, known: Known, redact: Callable[[str], str], stack: Stack | None = None) -> LogAnswer:
    """The answer for a log, or for a flight recorder dump, or for a folder of dumps; ``-`` is standard input.

    ``redact`` is applied to every text that is shown.  Raises UsageError if it cannot be read.
    """
    name = "standard input" if file == STANDARD_INPUT else file.name
    if file != STANDARD_INPUT and file.is_dir():
        return answer(name, _shown_by(dumps_of(file), stack), known, redact)
    with opened(file) as stream:
        is_dump = starts_as_dump(stream)
        shown = _shown_by([read_dump(stream, name)], stack) if is_dump else read_log(stream, known, stack)
    return answer(name, shown, known, redact)


def _shown_by(dumps: Sequence[Dump], stack: Stack | None) -> Shown:
    """What flight recorder dumps show; they state no versions."""
    waits = waits_of(dumps)
    read = Read(traces=list(waits.traces), lost_count=waits.without_frames)
    return Shown(read, sum(len(dump.calls) for dump in dumps), stack or Stack.of({}, None), notes=(), waits=waits)


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """A stream of the log's bytes; never waits for a writer, except on standard input."""
    if file == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    if str(file).startswith(_PIPES):
        with file.open("rb") as stream:
            yield stream
        return
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise UsageError(f"{file}: cannot be read: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(str(UnreadableFileError(file, "is no regular file; a log is expected")))
    with os.fdopen(descriptor, "rb") as stream:
        start = stream.peek(4)
        kind = next((kind for mark, kind in _ARCHIVES.items() if start.startswith(mark)), None)
        if kind:
            raise UsageError(f"{file}: is {kind}: unpack it first, or pipe it: zcat {file.name} | repro doctor --log -")
        try:
            yield stream
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
