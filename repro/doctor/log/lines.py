"""Reads a log as a stream of cleaned lines, each with its rank if the line states it.

A log may have gigabytes, so it is read in blocks, and only lines near a possible error are cleaned.  Memory is
bounded, and no part of the log is kept here.
"""

import codecs
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

import re2

from repro.model.clean import clean
from repro.model.pattern import with_anchors

BLOCK_BYTES = 1 << 20
LINE_BYTES = 1 << 16
"""The rest of a longer line is not read."""
WINDOW = 40
"""The number of lines that are read after a line of interest, since messages may have many lines."""
HEAD_LINES = 50_000
TAIL_LINES = 25_000
DENSE_LINES = 500
"""If a block has this many lines of interest, the rest of it is read only near the end of the log."""
TAIL_BYTES = 16 << 20
"""The number of bytes of interesting lines that are read at the start, and at the end, of a log."""

OF_INTEREST = (
    r"Traceback|Error\b|Exception|Interrupt|\bFile \"|\.py\", line |\.py:\d+\)|\.py:\d+ in |\.py\]\(|\.py in "
    r"|\.py \d{1,6} [a-z_<]"
    r"|Fatal Python|Thread \S+ \(|Current thread|Watchdog|watchdog|ProcessGroup|FAILED|Root Cause"
    r"|terminated with the following|metadata: \{|has no attribute|❱|--> |most recent call"
)
OF_ITS_OWN_LINE = (
    r"Warning|WARN|(?:[Tt]orch|ightning|[Tt]ransformers|[Aa]ccelerate|[Pp]eft|PEFT|TRL|trl)"
    r"[ \w(?)'\"`*]{0,24}[=:v \-]{1,4}\d+\.\d+\.\d+"
)

_RANK = re.compile(r"\[rank:? ?(\d{1,5})\]:? ?")
_ROLE = re.compile(r"\[[a-z_]{3,30}(\d{1,5})\]: ?")
_SRUN = re.compile(r"(\d{1,5}): ")
_RAY = re.compile(r"\((?:[A-Za-z_][\w.]{0,80} )?(?:pid|rank)=(\d{1,10})(?:, ip=[\w.:-]{1,60})?\) ?")
_POD = re.compile(r"\[pod/[\w.-]{0,120}?([\w.]{1,20})/[\w.-]{1,80}\] ")
_COMPOSE = re.compile(r"[\w.-]{0,60}?[-_](\d{1,4})\s{1,10}\| ")
_MPI = re.compile(r"\[\d{1,4},(?:mpirank:)?(\d{1,5})[^\]\s]{0,40}\]<std(?:err|out)>: ?")
_SYSLOG = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,64} [\w./-]{1,64}(?:\[\d{1,9}\])?: ")
_VIEWER = re.compile(r"(?:\[\d{2,9}\] (?=[\[\dA-Z])|\s{0,8}\d{1,13}(?:\t|\s{0,3}[|│]\s?))")
_QUOTED = re.compile(r"(?:> |\s{1,40}\| |```(?:\w{1,12}$)?|`(?=[A-Z])|(?:\^[CZ]){1,9})")
_GLOG = re.compile(r"[EWIFC]\d{4} \d\d:\d\d:\d\d[.\d]{0,12} +\d{1,20} [\w./<>-]{1,300}:\d{1,7}\] ?")
_STAMP = re.compile(
    r"\[?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\]?"
    r"(?: (?:\d\d[OE]\+?|std(?:err|out) [FP]) | ?[-|:] | (?=\S)|(?= )|(?=\[)|$)"
)
_LEVEL = re.compile(
    r"(?:- )?(?:[\w.]{1,80} - |(?:\[[\w.]{1,60}\] ?){1,2})?"
    r"\[?(?:TRACE|DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL|stderr|stdout)\]?(?:\b|(?<=\]))"
    r"(?: ?[-|:>]+ ?| |$)(?:[\w.<>]{1,80}(?::[\w<>]{1,80}){0,2} - )?"
)
_HOST = re.compile(r"[\w.-]{1,64}: (?=\[rank\d|Traceback \(|\s{2}File \")")
_BOX = re.compile(r"\s{0,4}[│┃]( ?)(.*?)\s*[│┃]?\s*$")
_BOX_EDGE = re.compile(r"\s{0,4}[╭╰┏┗][─━\s]*(.*?)[─━\s]*[╮╯┓┛]?\s*$")
_STERN = re.compile(
    r"((?:[a-z0-9][a-z0-9.-]{0,252} )?(?=[a-z.-]{0,252}\d)[a-z0-9][a-z0-9.-]{0,252}-([a-z0-9.]{1,20})"
    r" [a-z0-9][a-z0-9-]{0,62} )(.*)$"
)
"""Pod and container (before them, with ``-A``, the namespace) as stern writes them: words, as prose has them too."""
HEAD = "Traceback (most recent call last):"
_WORDS_OF_POD = 2
_BEGINS = re.compile(
    r"Traceback \(most recent call last\):|\s{0,8}File \"[^\"]{1,1000}\", line \d{1,9}, in "
    r"|(?:Current thread|Thread) 0x[0-9a-fA-F]|Thread \S{1,40} \((?:idle|active)"
)
"""Lines that nobody writes after two words of prose."""
_GLUED = re.compile(
    r"(\d{1,5}): (?=Traceback \(most recent call last\):|\s{0,8}File \"[^\"]{1,1000}\", line \d{1,9}, in )"
)
"""srun's label of a second rank within a line, before what only stands at the start of one."""
_OF_ERRORS = re.compile(
    r"(?:[A-Za-z_]\w{0,80}\.){0,12}[A-Z]\w{0,120}(?:Error|Exception|Interrupt|Exit)(?:: .{0,4000})?$"
    r"|Traceback \(most recent call last\):$|\s{0,8}File \"[^\"]{1,1000}\", line \d{1,9}, in .{1,300}$"
)
"""Lines that two ranks write at once, one behind the other."""
_LABEL_DIGITS = 5
_CLOSERS = frozenset("'\")]}")
MOST_LEARNED = 256
"""The number of prefixes of stern, and of labels of srun, that are remembered."""
_MAY_BE_PREFIX = frozenset("[(0123456789EWIFCTDJMASO>`^-│┃╭╰┏┗ \t{stdnwN")
ESCAPED = f"{HEAD}\\n"
"""In a line with this, a text of many lines has its ends of line as two characters, as in torchrun's error files."""
_SERVICE_CHARACTERS = 76
"""In so many characters stands the name of a service before its output."""
_WRITERS = (_RANK, _ROLE, _RAY, _SRUN, _POD, _MPI, _COMPOSE)
_LOCAL_WRITERS = (_ROLE, _POD, _COMPOSE)
"""Labels with the number of a machine, or of a process on it, which need not be the rank."""
_MOST_PREFIXES = 6
_JSON_TEXTS = ("message", "msg", "log", "text", "line", "event", "textPayload")
_JSON_TRACES = ("exc_info", "exc_text", "exception", "traceback", "stack_trace", "stack", "stack_info", "error")
_JSON_RANKS = ("global_rank", "rank", "local_rank")
_JSON_LINES = 400
EXPRESSIONS = {
    "rank": _RANK, "role": _ROLE, "srun": _SRUN, "ray": _RAY, "pod": _POD, "compose": _COMPOSE, "mpi": _MPI,
    "syslog": _SYSLOG, "viewer": _VIEWER, "quoted": _QUOTED, "glog": _GLOG,
    "stamp": _STAMP, "level": _LEVEL, "host": _HOST, "box": _BOX, "box_edge": _BOX_EDGE,
    "stern": _STERN, "begins": _BEGINS, "glued": _GLUED, "of_errors": _OF_ERRORS,
}  # fmt: skip
"""The expressions with which the site's page reads lines as this module does."""
LIMITS = {
    "window": WINDOW, "prefixes": _MOST_PREFIXES, "json_lines": _JSON_LINES, "line": LINE_BYTES, "head": HEAD_LINES,
    "service": _SERVICE_CHARACTERS, "learned": MOST_LEARNED, "label": _LABEL_DIGITS, "pod_words": _WORDS_OF_POD,
}  # fmt: skip
KEYS = {"texts": _JSON_TEXTS, "traces": _JSON_TRACES, "ranks": _JSON_RANKS}
MAY_BE_PREFIX = "".join(sorted(_MAY_BE_PREFIX))
CLOSERS = "".join(sorted(_CLOSERS))


@dataclass(frozen=True, slots=True)
class Line:
    """One cleaned line."""

    number: int
    text: str
    rank: str | None = None
    """The rank, or another prefix that identifies the writer."""
    logged: int = 0
    """The number of logger prefixes (time stamps and levels) that were removed."""
    boxed: bool = False
    """True if the line was inside a box drawn by rich."""


@dataclass
class Extent:
    """The length of a log, and how much of it was skipped."""

    lines: int = 0
    left_out: int = 0
    """The number of possibly interesting lines in the middle that were not read."""


def read_lines(stream: BinaryIO, extra: Iterable[str] = (), extent: Extent | None = None) -> Iterator[Line]:
    """The cleaned lines of interest, and the ``WINDOW`` lines after each.

    ``extra`` are more regular expressions of interest.  If there are too many such lines, only those at the start and
    at the end are read.
    """
    extent = extent or Extent()
    selector, tail = _Selector(_wanted(tuple(extra)), extent), _Tail(extent)
    read = 0
    cleaner = Cleaner()
    for block in _blocks(stream):
        dense = 0
        for raw, number in selector.lines(block):
            if read < HEAD_LINES:
                read += 1
                yield from cleaner.lines(raw.decode("utf-8", "replace"), number)
                continue
            tail.add(raw, number, 1)
            dense += 1
            if dense == DENSE_LINES:
                tail.add(*selector.rest())
                break
    if extent.left_out:
        yield Line(tail.first, "", logged=_MOST_PREFIXES)  # ends a message: it cannot continue across a gap
    for raw, number in tail.lines(selector.wanted):
        yield from cleaner.lines(raw.decode("utf-8", "replace"), number)


class _Tail:
    """The last lines of interest, and the rest of dense blocks; processed at the end."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._held: deque[tuple[bytes, int, int]] = deque()
        self._lines = self._size = 0

    @property
    def first(self) -> int:
        """The number of its first line."""
        return self._held[0][1]

    def add(self, raw: bytes, number: int, lines: int) -> None:
        """Add one or more lines; if there are too many, the first ones are dropped and counted."""
        self._held.append((raw, number, lines))
        self._lines += lines
        self._size += len(raw)
        while len(self._held) > 1 and (
            self._lines - self._held[0][2] >= TAIL_LINES or self._size - len(self._held[0][0]) >= TAIL_BYTES
        ):
            dropped, _, count = self._held.popleft()
            self._lines -= count
            self._size -= len(dropped)
            self._extent.left_out += count

    def lines(self, wanted: Any) -> Iterator[tuple[bytes, int]]:
        """Every line of interest."""
        for raw, number, lines in self._held:
            if lines == 1:
                yield raw, number
                continue
            yield from _Selector(wanted, Extent(lines=number - 1), active=WINDOW).lines(raw)


class _Selector:
    """Finds the lines of interest, block by block; ``wanted`` has a group for matches of single lines."""

    def __init__(self, wanted: Any, extent: Extent, active: int = 0) -> None:
        self.wanted = wanted
        self._extent = extent
        self._active = active
        self._block = b""
        self._next = self._counted = 0

    def lines(self, block: bytes) -> Iterator[tuple[bytes, int]]:
        """The lines of interest in the next block, with their numbers."""
        wanted = self.wanted
        lines = block.replace(b"\r", b"\n")
        self._block, self._next, self._counted = block, 0, 0
        found = wanted.search(lines)
        while self._next < len(lines):
            at = self._next
            if not self._active:
                if found is None:
                    break
                at = lines.rfind(b"\n", 0, found.start()) + 1
            end = lines.find(b"\n", at)
            end = len(lines) if end < 0 else end
            while found is not None and found.start() < end:
                self._active = max(self._active, 1 if found.group(1) is not None else WINDOW)
                found = wanted.search(lines, end if self._active == WINDOW else found.end())
            self._active -= 1
            self._count(at)
            self._next = end + (2 if block[end : end + 2] == b"\r\n" else 1)
            yield lines[at : min(end, at + LINE_BYTES)], self._extent.lines + 1
        self._count(len(block))

    def rest(self) -> tuple[bytes, int, int]:
        """The unread rest after the last yielded line: its bytes, the first line number and the number of lines."""
        self._count(self._next)
        number = self._extent.lines + 1
        self._count(len(self._block))
        self._active = WINDOW
        return self._block[self._next :], number, self._extent.lines - number + 1

    def _count(self, to: int) -> None:
        self._extent.lines += self._block.count(b"\n", self._counted, to)
        self._counted = max(self._counted, to)


@lru_cache(maxsize=32)
def _wanted(extra: tuple[str, ...]) -> Any:
    """The expression that finds lines of interest in bytes."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    # Without anchors: here a line still has its prefix, and stands in a block.
    texts = (with_anchors(text, "", "") for text in extra)
    alone = "|".join(f"(?:{text})" for text in (OF_ITS_OWN_LINE, *texts))
    return re2.compile(f"(?:{OF_INTEREST})|({alone})".encode(), options)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Blocks of whole lines, converted to UTF-8; a line that is too long is cut."""
    rest = b""
    dropped = False
    for block in _utf8(stream):
        end = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        if not end:
            room = LINE_BYTES - len(rest)
            rest += block[: max(room, 0)]
            dropped = dropped or len(block) > room
            continue
        if dropped:  # the rest of a line that was too long
            first = min(at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0)
            yield rest + block[first:end]
        else:
            yield rest + block[:end]
        rest, dropped = block[end:], False
    if rest:
        yield rest


def _utf8(stream: BinaryIO) -> Iterator[bytes]:
    first = stream.read(BLOCK_BYTES)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        while first:
            yield decoder.decode(first).encode("utf-8", "replace")
            first = stream.read(BLOCK_BYTES)
        return
    first = first.removeprefix(codecs.BOM_UTF8)
    while first:
        yield first
        first = stream.read(BLOCK_BYTES)


class Cleaner:
    """Cleans the lines of one log, and remembers the prefixes that only other lines tell apart from prose."""

    def __init__(self) -> None:
        self._pods: dict[str, str] = {}
        """Prefix of stern -> the last part of the pod's name."""
        self._prefixes: tuple[str, ...] = ()
        self._labels: set[str] = set()
        """The labels with which lines begin, as srun writes them."""

    def lines(self, raw: str, number: int) -> Iterator[Line]:
        """The line without escapes, prefixes and boxes; of a JSON object, each line of its texts.

        A line that two ranks wrote is two lines.
        """
        text = clean(raw) if not raw.isprintable() else raw
        if text[:1] == "{" and text.rstrip()[-1:] == "}":
            inner = _of_json(text)
            if inner is not None:
                rank, parts = inner
                for part in parts:
                    for line in self.lines(part, number):
                        yield Line(number, line.text, line.rank or rank, logged=line.logged, boxed=line.boxed)
                return
        if ESCAPED in text:
            for part in text.replace('\\"', '"').split("\\n")[:_JSON_LINES]:
                yield self._of_pod(_unprefixed(part, number))
            return
        for part in self._parts(text.rstrip("\n")):
            yield self._of_pod(_unprefixed(part, number))

    def _of_pod(self, line: Line) -> Line:
        """The line without stern's prefix, which is known once it stands before what prose has not."""
        text = line.text
        prefix = ""
        if text.startswith(self._prefixes):
            prefix = next(known for known in self._prefixes if text.startswith(known))
        if not prefix:
            found = _STERN.match(text) if _BEGINS.search(text) else None
            begun = _BEGINS.match(_unprefixed(found[3], line.number).text) if found else None
            # Before a traceback three words may be prose; before a frame they are none.
            if not (found and begun) or (begun[0] == HEAD and found[1].count(" ") > _WORDS_OF_POD):
                return line
            prefix = found[1]
            if len(self._pods) < MOST_LEARNED:
                self._pods[prefix] = found[2]
                self._prefixes = tuple(self._pods)
        inner = _unprefixed(text[len(prefix) :], line.number)
        rank = line.rank or inner.rank or self._pods.get(prefix)
        return Line(line.number, inner.text, rank, logged=line.logged + inner.logged, boxed=inner.boxed)

    def _parts(self, text: str) -> list[str]:
        """The lines of several ranks that were written as one, each with its label if it has one."""
        label = _SRUN.match(text)
        if label and len(self._labels) < MOST_LEARNED:
            self._labels.add(label[1])
        start = label.end() if label else 0
        rest = text[start:]
        for digits in range(1, _LABEL_DIGITS + 1) if label else (-len(": "),):
            half, odd = divmod(len(rest) - digits - len(": "), 2)
            between = rest[half : len(rest) - half]
            if odd or half <= 0 or rest[:half] != rest[len(rest) - half :] or not _OF_ERRORS.match(rest[:half]):
                continue
            if not label or _SRUN.fullmatch(between):
                return [text[: start + half], between + rest[:half]]
        if not label:
            return [text]
        parts, begun = [], 0
        for found in _GLUED.finditer(text, start):
            at = self._second(text, found)
            if at is not None:
                parts.append(text[begun:at])
                begun = at
        return [*parts, text[begun:]]

    def _second(self, text: str, found: re.Match[str]) -> int | None:
        """Where the label of a second rank begins; None if its digits may belong to what stands before."""
        digits = found[1]
        for at in range(len(digits)):
            if digits[at:] in self._labels:
                return found.start() + at
        return found.start() if text[found.start() - 1] in _CLOSERS else None


def _of_json(text: str) -> tuple[str | None, list[str]] | None:
    """The rank and the lines of a logger's JSON object; None for any other line."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    record = value.get("record")
    texts = [value.get(key) for key in (*_JSON_TEXTS, *_JSON_TRACES)]
    texts += [record.get(key) for key in _JSON_TRACES] if isinstance(record, dict) else []
    parts = [line for item in texts if isinstance(item, str) for line in item.splitlines()]
    if not parts or any(part[:1] == "{" for part in parts[:1]):
        return None
    rank = next((value[key] for key in _JSON_RANKS if isinstance(value.get(key), int | str)), None)
    return (None if rank is None else str(rank)[:20]), parts[:_JSON_LINES]


def _unprefixed(text: str, number: int) -> Line:
    rank: str | None = None
    is_local = False
    logged = 0
    boxed = False
    for _ in range(_MOST_PREFIXES):
        if not logged and text[:1] not in _MAY_BE_PREFIX and "| " not in text[:_SERVICE_CHARACTERS]:
            break
        named = next((found for found in (pattern.match(text) for pattern in _WRITERS) if found), None)
        if named:
            # torch's own label is the rank; the number of a pod or of a local process may be another.
            rank = named[1] if rank is None or (is_local and named.re is _RANK) else rank
            is_local = named.re in _LOCAL_WRITERS
            text = text[named.end() :]
            continue
        stamp = _GLOG.match(text) or _STAMP.match(text) or _LEVEL.match(text) or _SYSLOG.match(text)
        if stamp:
            logged, text = logged + 1, text[stamp.end() :]
            continue
        box = _BOX_EDGE.match(text) or _BOX.match(text)
        if box:
            boxed, text = True, box[box.lastindex or 0]
            continue
        other = _VIEWER.match(text) or _QUOTED.match(text) or _HOST.match(text)
        if not other:
            break
        text = text[other.end() :]
    return Line(number, text, rank, logged=logged, boxed=boxed)
