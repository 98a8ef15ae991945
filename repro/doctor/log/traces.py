"""Reads the errors of a log: exceptions with their frames, stacks of hanging ranks, and lines about lost peers.

It reads cleaned lines and keeps a bounded number of traces.  Lines of several ranks may be mixed, with or without a
prefix, and a trace may lack its head, its frames or its exception type.  Uncertain parts are marked, never guessed.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from repro.doctor.log.lines import Line
from repro.model.observation import Frame, Origin, Raised
from repro.verdict.signature import WATCHDOG, is_consequence

MOST_TRACES = 200
"""The number of traces kept from the start of a log, and from its end."""
MOST_WRITERS = 256
MOST_FRAMES = 200
MESSAGE_LINES = 60
MESSAGE_CHARACTERS = 6000

LIBRARIES = frozenset({
    "torch", "lightning", "pytorch_lightning", "lightning_fabric", "transformers", "accelerate", "peft", "trl",
    "deepspeed", "datasets", "safetensors", "torchdata", "torchmetrics", "bitsandbytes",
})  # fmt: skip
"""Top-level packages that are recognised in a path without site-packages."""
SAME = {"pytorch_lightning": "lightning", "lightning_fabric": "lightning"}
"""Packages with the same code under another name."""
WRAPPERS = frozenset({
    "ChildFailedError", "ProcessRaisedException", "ProcessExitedException", "SignalException", "CalledProcessError",
    "RayTaskError", "WorkerCrashedError", "TrainingFailedError", "RendezvousConnectionError",
    "RendezvousClosedError",
})  # fmt: skip
"""Exceptions of launchers; they report a failed rank and are never the cause."""

_SITE = re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\](.+)$")
_STDLIB = re.compile(r"[/\\]lib(?:64)?[/\\](?:python\d(?:\.\d+)?)[/\\](.+)$|[/\\]Lib[/\\]([\w/\\]+\.py)$|^<frozen ")
_SOURCE = re.compile(
    r"(?:^|[/\\])(?:src[/\\](?P<package>transformers|accelerate|peft|lightning|pytorch_lightning|lightning_fabric)"
    r"|(?P<torch>torch)[/\\](?:distributed|utils|nn|autograd|optim|_dynamo|_inductor|multiprocessing|cuda|amp)"
    r"|(?P<pl>lightning)[/\\](?:pytorch|fabric)"
    r"|(?P<other>pytorch_lightning|accelerate|transformers|trl|peft)[/\\](?=\w+[/\\]|trainer\w*\.py|optimizer\.py"
    r"|accelerator\.py|peft_model\.py|modeling_utils\.py))"
)

_FILE = re.compile(
    r"""^\s*(?:File\s)?["']?(?P<file>[^"'\n]{1,1000}?)["'], line (?P<line>\d{1,9}),? in (?P<func>.{1,300}?)\s*$"""
)
_PYSPY = re.compile(r"^\s*(?P<func>[\w.<>]{1,200}) \((?P<file>[^()\n]{1,600}):(?P<line>\d{1,9})\)\s*$")
_RICH = re.compile(r"^(?P<file>(?:[A-Za-z]:)?\S{1,1000}?\.py):(?P<line>\d{1,9}) in (?P<func>[\w.<>]{1,200})\s*$")
_RICH_START = re.compile(r"^(?:[A-Za-z]:\\|[/~]|\S+\.py(?::\d+)?$)\S*$")
_IPYTHON = re.compile(
    r"^(?:File )?\[?(?P<file>[^\s\[\]]{1,600}\.py)(?::(?P<line>\d{1,9}))?\]?(?:\([^)\n]{0,200}\))?"
    r",? in (?P<func>[\w.<>]{1,200})(?:\(.*)?$"
)
_PRETTY = re.compile(r"^(?P<file>\w{1,100}\.py) (?P<line>\d{1,7}) (?P<func>[\w<>]{1,200})$")
_FRAMES = (_FILE, _PYSPY, _RICH, _IPYTHON, _PRETTY)

_TYPE = r"(?:[A-Za-z_]\w{0,80}\.){0,12}[A-Za-z_]\w{0,120}"
_ERROR = re.compile(rf"^[\s`*\[(]{{0,8}}({_TYPE})(?::(?:\s+(.*)|$)|$)")
_INLINE = re.compile(r"(?:^|[\s\[(`'\">:])((?:[A-Za-z_]\w{0,80}\.){0,12}[A-Z]\w{0,120}(?:Error|Exception)): (.{3,})$")
_ENDINGS = (
    "Error",
    "Exception",
    "Interrupt",
    "SystemExit",
    "StopIteration",
    "Unsupported",
    "Failed",
    "Failure",
    "Timeout",
)
_ORPHAN = re.compile(
    r"^\s*(?:saved metadata: \{|recomputed metadata: \{|Missing key\(s\) in state_dict: |Unexpected key\(s\) in )"
)
"""The start of a message's part whose head was cut off."""
_TWICE = re.compile(r"^(\w+?(?:Error|Exception))\1$")
_CARETS = re.compile(r"^\s*[~^]+\s*$")
_HEAD = re.compile(r"Traceback \(most recent call last\)|most recent call first")
_FIRST_CALL = re.compile(
    r"^\s*(?:Current thread|Thread) 0x[0-9a-fA-F]+.{0,80}\(most recent call first\)"
    r"|^\s*Thread \S{1,40} \((?:idle|active)[^)]{0,40}\)"
)
_FATAL = re.compile(r"^Fatal Python error: (.{1,300})$")
ABORTED = "Aborted"
"""How Python says that C++ ended the process, as NCCL's threads do after they reported a lost peer."""
_CAUSE = "The above exception was the direct cause"
_CONTEXT = "During handling of the above exception"
_OF_RANK = re.compile(r"Traceback \(most recent call last\): \(RANK \d+\)")
"""torch.distributed.checkpoint prints each rank's traceback inside the message of its own exception."""
_SPAWNED = re.compile(r"^-- Process \d+ terminated with the following error:")
_TABLE = re.compile(r"^\s*(?:=|-){20,}\s*$")
_TABLE_ROW = re.compile(r"^\s*(rank|exitcode|traceback)\s+: (.{1,300})$")
_LOST = re.compile(
    r"closing signal SIG|failed \(exitcode: -?\d+\)|Signal \d+ \(SIG\w+\) received by PID"
    r"|ProcessGroupNCCL\.cpp:\d+\]|terminate called after throwing an instance of 'c10::DistBackendError'"
)
"""Lines of launchers and NCCL's threads about a failed rank; NCCL's own reports end with a bracket there."""
_DIGITS = re.compile(r"\d+")
EXPRESSIONS = {
    "site": _SITE, "stdlib": _STDLIB, "source": _SOURCE, "file": _FILE, "pyspy": _PYSPY, "rich": _RICH,
    "rich_start": _RICH_START, "ipython": _IPYTHON, "pretty": _PRETTY, "error": _ERROR, "inline": _INLINE,
    "orphan": _ORPHAN, "twice": _TWICE, "carets": _CARETS, "head": _HEAD, "first_call": _FIRST_CALL, "fatal": _FATAL,
    "of_rank": _OF_RANK, "spawned": _SPAWNED, "table": _TABLE, "table_row": _TABLE_ROW, "lost": _LOST,
    "digits": _DIGITS,
}  # fmt: skip
"""The expressions with which the site's page reads traces as this module does."""
ENDINGS = _ENDINGS
CHAINS = {"cause": _CAUSE, "context": _CONTEXT}
LIMITS = {
    "traces": MOST_TRACES, "writers": MOST_WRITERS, "frames": MOST_FRAMES, "message_lines": MESSAGE_LINES,
    "message": MESSAGE_CHARACTERS,
}  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """One exception or one stack of a log."""

    error: Raised
    """The exception; a stack has an empty type."""
    line: int
    """The line of the exception in the log, or the first line of a stack."""
    rank: str | None = None
    stack: bool = False
    """True for a dumped stack, without an exception."""
    cut: bool = False
    """True if the head of the traceback is missing, and perhaps outer frames."""
    mixed: bool = False
    """True if frames of several ranks may be mixed, so that their order means nothing."""
    bare: bool = False
    """True if the exception has no traceback."""
    chain: int | None = None
    """The line of the exception that caused it, or that was being handled when it was raised."""
    ranks: int = 1
    """The number of ranks with this trace."""

    @property
    def interrupted(self) -> bool:
        """True if a person ended the run; the frames then show where the rank was."""
        return self.error.type == "KeyboardInterrupt"


@dataclass
class Read:
    """Everything that a log shows."""

    traces: list[Trace] = field(default_factory=list)
    """In the order of the log; if there are too many, those in the middle are left out."""
    lost: list[tuple[int, str]] = field(default_factory=list)
    """Lines that only report a lost peer or a rank that the launcher ended: number and text."""
    lost_count: int = 0
    failed_ranks: list[str] = field(default_factory=list)
    """The ranks in the launcher's table, the first failed one first."""
    left_out: int = 0
    """The number of traces in the middle that were not kept."""


def owner(path: str) -> tuple[Origin, str]:
    """The owner of a path's code, and the path below site-packages."""
    site = _SITE.search(path)
    if site:
        return Origin.LIBRARY, site[1].replace("\\", "/")
    if _STDLIB.search(path) or path.startswith("<"):
        return Origin.STDLIB, path.replace("\\", "/").rpartition("/")[2]
    sources = list(_SOURCE.finditer(path))
    if sources:
        source = sources[-1]  # a checkout lies in a folder of the same name
        package = next(name for name in source.groups() if name)
        return Origin.LIBRARY, path[path.index(package, source.start()) :].replace("\\", "/")
    first = re.split(r"[/\\]", path, maxsplit=1)[0]
    if first in LIBRARIES and first != path:
        return Origin.LIBRARY, path.replace("\\", "/")
    return Origin.SCRIPT, path.replace("\\", "/").rpartition("/")[2]


def package_of(frame: Frame) -> str:
    """The top-level package of a frame under its main name; ``script`` for the user's own code."""
    if frame.origin is Origin.LIBRARY:
        return SAME.get(frame.package, frame.package)
    return "script" if frame.origin is Origin.SCRIPT else ""


@dataclass(frozen=True)
class _Parsed:
    """The frame of a line."""

    frame: Frame
    of_stack: bool
    """True for py-spy's form, which only occurs in stacks."""


@lru_cache(maxsize=8192)
def _parsed(text: str) -> _Parsed | None:
    """The frame of a line; cached, since ranks and restarts repeat the same lines."""
    found = next((match for match in (pattern.match(text) for pattern in _FRAMES) if match), None)
    if found is None:
        return None
    origin, path = owner(found["file"]) if found.re is not _PRETTY else (Origin.OTHER, found["file"])
    stack = found.re is _PYSPY
    function = found["func"].rpartition(".")[2] if stack else found["func"].strip()
    line = found.groupdict().get("line")
    return _Parsed(Frame(origin=origin, file=path[:500], function=function[:300], line=int(line or 0)), stack)


@dataclass
class _Writer:
    """The parser state for the lines of one rank."""

    rank: str | None
    frames: list[Frame] = field(default_factory=list)
    begun: int = 0
    head: bool = False
    mixed: bool = False
    stack: bool = False
    after_file: bool = False
    """True if the previous line was a frame, so that this line is its code."""
    indented: bool = False
    half: str = ""
    """The first half of a path that rich wrapped."""
    open: "_Open | None" = None
    chain: int | None = None
    last: int | None = None
    """The line of the last exception, for a chain."""
    outer: list[Frame] = field(default_factory=list)
    """The frames of the last exception."""
    untyped: "_Open | None" = None


@dataclass
class _Open:
    """An exception whose message may continue."""

    type: str
    module: str
    message: list[str]
    line: int
    frames: list[Frame]
    cut: bool
    mixed: bool
    bare: bool
    chain: int | None
    logged: int = 0
    """The number of logger prefixes of its first line; a line with more is not part of its message."""
    characters: int = 0


class TraceReader:
    """Turns lines into traces."""

    def __init__(self) -> None:
        self._writers: dict[str | None, _Writer] = {}
        self._read = Read()
        self._end: deque[Trace] = deque()
        self._ranks: dict[tuple[object, ...], list[str | None]] = {}
        """The ranks of each trace, by its shape."""

    def read(self, lines: Iterable[Line], each: Callable[[Line], None] | None = None) -> Read:
        """Read all lines; ``each`` is called with every line first."""
        for line in lines:
            if each is not None:
                each(line)
            self._line(line)
        for writer in self._writers.values():
            self._close(writer)
            self._give_up(writer)
        traces = [replace(trace, ranks=len(self._ranks[_shape(trace)])) for trace in (*self._read.traces, *self._end)]
        self._read.traces = sorted(traces, key=lambda trace: trace.line)
        return self._read

    def _line(self, line: Line) -> None:
        rank = line.rank if line.rank in self._writers or len(self._writers) < MOST_WRITERS else None
        writer = self._writers.get(rank)
        if writer is None:
            writer = self._writers[rank] = _Writer(rank)
        text = line.text
        if self._lost(line) or self._marker(writer, line) or self._frame(writer, line):
            return
        after_file, writer.after_file = writer.after_file, False
        if self._error(writer, line, after_file=after_file) or self._goes_on(writer, line):
            return
        if not text.strip() and writer.stack:
            self._give_up(writer)

    def _lost(self, line: Line) -> bool:
        """Note a line that only reports a lost peer."""
        text = line.text
        if not (WATCHDOG.search(text) or _LOST.search(text)):
            row = _TABLE_ROW.match(text)
            if row and row[1] == "rank":
                self._read.failed_ranks.append(row[2].split()[0][:20])
                del self._read.failed_ranks[64:]
            return False
        self._read.lost_count += 1
        if len(self._read.lost) < MOST_TRACES:
            self._read.lost.append((line.number, text.strip()[:300]))
        return True

    def _marker(self, writer: _Writer, line: Line) -> bool:
        """Handle a line that begins or joins tracebacks."""
        text = line.text
        if _CAUSE in text or _CONTEXT in text:
            self._close(writer)
            writer.chain = writer.last
            return True
        if _SPAWNED.match(text):
            self._close(writer)
            writer.chain = None
            return True
        fatal = _FATAL.match(text)
        if fatal:
            self._close(writer)
            self._give_up(writer)
            if self._read.lost_count and fatal[1].startswith(ABORTED):
                self._read.lost_count += 1
                return True
            self._open(writer, "", "", f"Fatal Python error: {fatal[1]}", line, bare=True)
            return True
        if _FIRST_CALL.match(text):
            self._close(writer)
            self._give_up(writer)
            writer.stack, writer.begun, writer.head = True, line.number, True
            return True
        if not _HEAD.search(text):
            return False
        self._close(writer)
        if writer.stack:
            self._give_up(writer)
        if _OF_RANK.search(text):
            writer.frames, writer.begun, writer.chain = list(writer.outer), line.number, writer.last
        elif writer.frames:  # another rank's frames, without an exception yet
            writer.mixed = True
        else:
            writer.begun = line.number
        writer.head, writer.after_file, writer.half = True, False, ""
        return True

    def _frame(self, writer: _Writer, line: Line) -> bool:
        """Handle a line with a frame."""
        text = line.text
        if not line.boxed and ".py" not in text and "<" not in text and "File " not in text:
            return False
        if line.boxed:
            joined = writer.half + text.strip()
            writer.half = ""
            if not any(pattern.match(joined) for pattern in (_RICH, _FILE)):
                # rich wraps a long path; the rest is in the next line of the box
                if _RICH_START.match(joined) and len(joined) < MESSAGE_CHARACTERS:
                    writer.half = joined
                return bool(writer.half)
            text = joined
        found = _parsed(text)
        if found is None or (found.of_stack and not writer.stack):
            return False
        self._close(writer)
        if not writer.frames and not writer.begun:
            writer.begun = line.number
        writer.frames.append(found.frame)
        if len(writer.frames) > MOST_FRAMES:  # the outermost and the innermost are kept
            del writer.frames[MOST_FRAMES // 2]
        writer.after_file = True
        writer.indented = text[:1].isspace()
        return True

    def _error(self, writer: _Writer, line: Line, *, after_file: bool) -> bool:
        """Handle the line of an exception."""
        text = line.text
        if writer.stack:
            return False
        found = _ERROR.match(text) if not (after_file and writer.indented and text[:1].isspace()) else None
        if found and self._is_error(writer, found):
            self._close(writer)
            kind, message = found[1].rpartition(".")[2], (found[2] or "").strip()
            twice = _TWICE.match(kind)
            if twice:  # two ranks wrote at once
                kind, message, writer.mixed = (
                    twice[1],
                    _once(message.removeprefix(": ").removeprefix(":").strip()),
                    True,
                )
            self._open(writer, kind, found[1].rpartition(".")[0], message, line, bare=not writer.frames)
            return True
        if writer.frames and not after_file and self._may_be_untyped(writer, text):
            writer.untyped = _Open(
                "", "", [text.strip()[:MESSAGE_CHARACTERS]], line.number, list(writer.frames), cut=not writer.head,
                mixed=writer.mixed, bare=False, chain=writer.chain,
            )  # fmt: skip
            return True
        if writer.open is None and not writer.frames and _ORPHAN.match(text):
            self._open(writer, "", "", text.strip(), line, bare=True)
            return True
        inline = _INLINE.search(text) if not writer.frames and writer.open is None and "rror" in text else None
        if inline and not inline[1].endswith("Warning"):
            self._open(writer, inline[1].rpartition(".")[2], inline[1].rpartition(".")[0], inline[2], line, bare=True)
            return True
        return False

    @staticmethod
    def _is_error(writer: _Writer, found: re.Match[str]) -> bool:
        last = found[1].rpartition(".")[2]
        if last.endswith("Warning") and not writer.frames:
            return False
        if last.endswith(_ENDINGS) and last not in {"Error", "Failed", "Failure", "Timeout"}:
            return True
        # After frames, and with a text, an exception may have any name: ``Exit``, ``_StopRecomputation``.
        return bool(writer.frames and found[2] and last[:1].isupper() and not found[0][:1].isspace())

    @staticmethod
    def _may_be_untyped(writer: _Writer, text: str) -> bool:
        """True if a line is where an exception is expected and may be its message, with the type lost."""
        return bool(
            writer.untyped is None and writer.indented and text[:1].strip() and " " in text.strip()
            and not text.rstrip().endswith(("(", ",", ")")) and not _CARETS.match(text) and "%|" not in text
        )  # fmt: skip

    def _open(self, writer: _Writer, kind: str, module: str, message: str, line: Line, *, bare: bool) -> None:
        writer.open = _Open(
            kind, module[:200], [message[:MESSAGE_CHARACTERS]], line.number, list(writer.frames),
            cut=not writer.head, mixed=writer.mixed, bare=bare, chain=writer.chain,
            logged=line.logged, characters=len(message),
        )  # fmt: skip
        writer.outer, writer.frames = writer.frames, []
        writer.untyped = None
        writer.head = writer.mixed = writer.after_file = False
        writer.begun, writer.chain, writer.half = 0, None, ""

    def _goes_on(self, writer: _Writer, line: Line) -> bool:
        """Handle a further line of a message."""
        found = writer.open
        if found is None:
            return False
        if line.logged > found.logged or _TABLE.match(line.text) or len(found.message) > MESSAGE_LINES:
            self._close(writer)
            return False
        if found.characters < MESSAGE_CHARACTERS:
            text = line.text[: MESSAGE_CHARACTERS - found.characters]
            found.message.append(text)
            found.characters += len(text) + 1
        return True

    def _close(self, writer: _Writer) -> None:
        """Keep the exception whose message has ended."""
        found, writer.open = writer.open, None
        if found is not None:
            writer.last = found.line
            self._keep(found, writer)

    def _give_up(self, writer: _Writer) -> None:
        """Close frames without an exception: a stack, or a traceback that lost its last line."""
        frames, untyped = list(writer.frames), writer.untyped
        if writer.stack and frames:
            raised = Raised(type="", module="", message="", frames=tuple(reversed(frames)))  # the innermost was first
            self._add(Trace(raised, writer.begun, writer.rank, stack=True, mixed=writer.mixed))
        elif untyped is not None:
            self._keep(untyped, writer)
        elif frames:
            raised = Raised(type="", module="", message="", frames=tuple(frames))
            self._add(Trace(raised, writer.begun, writer.rank, cut=True, mixed=writer.mixed))
        writer.frames.clear()
        writer.untyped, writer.stack, writer.head, writer.mixed, writer.begun = None, False, False, False, 0

    def _keep(self, found: _Open, writer: _Writer) -> None:
        message = "\n".join(found.message).strip()
        raised = Raised(type=found.type, module=found.module, message=message, frames=tuple(found.frames))
        self._add(
            Trace(raised, found.line, writer.rank, cut=found.cut, mixed=found.mixed, bare=found.bare, chain=found.chain)
        )

    def _add(self, trace: Trace) -> None:
        """Keep a trace; the same trace of other ranks, or again of the same rank, is only counted."""
        key = _shape(trace)
        ranks = self._ranks.get(key)
        if ranks is not None:
            # Without prefixes, each may come from another rank.
            if len(ranks) < MOST_WRITERS and (trace.rank is None or trace.rank not in ranks):
                ranks.append(trace.rank)
            return
        self._ranks[key] = [trace.rank]
        if len(self._read.traces) < MOST_TRACES:
            self._read.traces.append(trace)
            return
        self._end.append(trace)
        if len(self._end) > MOST_TRACES:
            del self._ranks[_shape(self._end.popleft())]
            self._read.left_out += 1


def _shape(trace: Trace) -> tuple[object, ...]:
    """What two equal traces of different ranks have in common."""
    error = trace.error
    inner = [frame.function for frame in error.frames[-3:]]
    return (error.type, _DIGITS.sub("0", error.message[:300]), tuple(inner), trace.stack)


def _once(message: str) -> str:
    """The single message, if two ranks wrote the same one after the other on one line."""
    half, rest = divmod(len(message), 2)
    return message[:half] if not rest and message[:half] == message[half:] else message


def only_reports(trace: Trace) -> bool:
    """True if a trace only reports that another rank or process failed."""
    return trace.error.type in WRAPPERS or is_consequence(trace.error) or bool(WATCHDOG.search(trace.error.message))
