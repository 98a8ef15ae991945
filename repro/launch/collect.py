"""Collects the facts of a run from the files of its ranks: events, output, stacks.

All files are untrusted; ``untrusted.py`` has the limits.  For a file that is damaged, malformed or too large,
``Rank.unreadable`` has the reason; what could be read is kept.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repro.launch.paths import Layout
from repro.launch.standstill import WATCHED
from repro.launch.untrusted import (
    MAX_JOURNAL_BYTES,
    MAX_OUTPUT_BYTES,
    MAX_STACK_BYTES,
    MAX_VALUE_CHARACTERS,
    MIB,
    UntrustedError,
    cut,
    parse_json,
    read_bytes,
    text_of,
)
from repro.model.observation import BetweenDumps, Imported, Phase, Raised, Rank, Warned

TAIL_CHARACTERS = 4000
MESSAGE_CHARACTERS = 4000
ORACLE_CHARACTERS = 2000
MAX_MEASUREMENTS = 200
MAX_WARNINGS = 100
WARNING_CHARACTERS = 1000
# Only a name that ends so: an error in a traceback of a tool has the same form.
_WARNED = re.compile(
    r"^(?P<place>[^\n]{1,1000}?:\d{1,9}): (?P<category>[A-Za-z_]\w{0,99}Warning): ?(?P<message>[^\n]*)$", re.MULTILINE
)
MAX_SERIES = 2000
"""The most numbers that are kept for one name."""
# The line may begin with an unfinished progress bar.
_MEASURED = re.compile(r"(?:^|\])measured ([a-z][a-z0-9_]*) = (.*)$", re.MULTILINE)
# It may follow any unfinished line, but must not match prose ("the oracle passed: ") or a quoted source line.
_ORACLE = re.compile(r"(?:^[ \t]*|[^A-Za-z\s\"'`][ \t]*)oracle passed: (.*)$", re.MULTILINE)


class _Event(BaseModel):
    """One line of a journal, written by ``bootstrap.py``; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    event: str
    time: float = 0.0


class _Gate(_Event):
    name: Annotated[str, Field(max_length=200)]


class _Module(BaseModel):
    version: Annotated[str, Field(max_length=200)]
    file: Annotated[str, Field(max_length=4096)]


_Imports = Annotated[dict[str, _Module], Field(max_length=5000)]


class _WithImports(_Event):
    imports: _Imports = {}


class _Frame(BaseModel):
    file: Annotated[str, Field(max_length=4096)]
    function: str
    line: Annotated[int, Field(ge=0)]
    code: str = ""


class _Link(BaseModel):
    type: Annotated[str, Field(max_length=500)]
    module: Annotated[str, Field(max_length=500)]
    bases: Annotated[tuple[str, ...], Field(max_length=200)]
    message: str
    link: Literal["cause", "context"] | None
    frames: Annotated[tuple[_Frame, ...], Field(max_length=200)]


class _Exception(_WithImports):
    phase: Phase
    chain: Annotated[tuple[_Link, ...], Field(min_length=1, max_length=16)]


class _Ended(_Event):
    code: int | None = None
    signal: int | None = None
    stopped: bool
    seconds: float
    peak_bytes: int


def collect_ranks(folder: Path, world_size: int, layout: Layout, started: float) -> tuple[Rank, ...]:
    """The facts of every rank; ``started`` is the start of the run in seconds since the epoch."""
    watched = _between_dumps(folder)
    return tuple(_Collector(folder, rank, layout, started).rank(watched.get(rank)) for rank in range(world_size))


def launcher_tail(folder: Path, layout: Layout) -> str:
    """The end of the launcher's own output; empty if it cannot be read."""
    try:
        content, _ = read_bytes(folder / "launcher.log", 4 * TAIL_CHARACTERS, tail=True)
    except UntrustedError:
        return ""
    return layout.scrub(text_of(content)[-TAIL_CHARACTERS:])


def _between_dumps(folder: Path) -> dict[int, BetweenDumps]:
    try:
        content, size = read_bytes(folder / WATCHED, MAX_STACK_BYTES)
        found = parse_json(text_of(content)) if size else {}
        return {int(number): BetweenDumps.model_validate(facts) for number, facts in found.items()}
    except (ValueError, AttributeError):  # a foreign file: no rank was seen standing still
        return {}


class _Collector:
    """Collects one rank's facts, and the first reason not to trust them."""

    def __init__(self, folder: Path, number: int, layout: Layout, started: float) -> None:
        self._folder = folder
        self._layout = layout
        self._started = started
        self._facts: dict[str, Any] = {"rank": number}
        self._gates: list[str] = []
        self._problem: str | None = None

    def rank(self, between: BetweenDumps | None) -> Rank:
        """The rank's facts."""
        number = self._facts["rank"]
        self._read(self._journal, self._folder / f"rank{number}.jsonl")
        self._read(self._output, self._folder / f"rank{number}.log")
        for dump in (1, 2):
            self._read(self._stack, self._folder / f"rank{number}.stacks{dump}")
        return Rank(**self._facts, gates=tuple(sorted(self._gates)), between_dumps=between, unreadable=self._problem)

    def _read(self, read: Callable[[Path], None], file: Path) -> None:
        try:
            read(file)
        except UntrustedError as error:
            self._distrust(str(error))

    def _distrust(self, reason: str) -> None:
        self._problem = self._problem or cut(self._layout.scrub(reason), 300)

    def _journal(self, file: Path) -> None:
        content, size = read_bytes(file, MAX_JOURNAL_BYTES)
        if size > MAX_JOURNAL_BYTES:
            self._distrust(f"its journal is larger than {MAX_JOURNAL_BYTES // MIB} MiB")
        # Not splitlines, since only a newline ends an event.
        *lines, _unfinished = text_of(content).split("\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                self._event(parse_json(line))
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"])
                self._distrust(f"line {number} of its journal: {where}: {first['msg'].lower()}")
            except ValueError as error:
                self._distrust(f"line {number} of its journal is no event: {error}")

    def _event(self, event: Any) -> None:
        name = _Event.model_validate(event).event
        read = {
            "started": self._on_started,
            "gate": self._on_gate,
            "backport": self._on_backport,
            "reached": self._on_reached,
            "finished": self._on_finished,
            "exception": self._on_exception,
            "ended": self._on_ended,
        }.get(name)
        if read is not None:  # other events are from a later version
            read(event)

    def _on_started(self, _event: Any) -> None:
        self._facts["started"] = True

    def _on_gate(self, event: Any) -> None:
        self._gates.append(_Gate.model_validate(event).name)

    def _on_backport(self, _event: Any) -> None:
        self._facts["backport_applied"] = True

    def _on_reached(self, event: Any) -> None:
        self._imported(_WithImports.model_validate(event).imports)
        self._facts["reached"] = True

    def _on_finished(self, event: Any) -> None:
        self._imported(_WithImports.model_validate(event).imports)
        self._facts["finished"] = True

    def _on_exception(self, event: Any) -> None:
        found = _Exception.model_validate(event)
        self._imported(found.imports)
        self._facts["phase"] = found.phase
        self._facts["chain"] = tuple(self._raised(link) for link in found.chain)
        self._facts["failed_at"] = round(found.time - self._started, 3)

    def _on_ended(self, event: Any) -> None:
        found = _Ended.model_validate(event)
        self._facts |= {
            "ended": True,
            "exit_code": found.code,
            "signal": found.signal,
            "stopped": found.stopped,
            "ended_at": round(found.time - self._started, 3),
            "seconds": found.seconds,
            "peak_bytes": found.peak_bytes,
        }

    def _imported(self, imports: dict[str, _Module]) -> None:
        inside = tuple(root + "/" for root in self._layout.libraries)
        self._facts["imported"] = {
            name: Imported(version=module.version, inside=module.file.startswith(inside))
            for name, module in sorted(imports.items())
        }

    def _raised(self, link: _Link) -> Raised:
        frames = (
            self._layout.frame(frame.file, cut(frame.function, 500), frame.line, frame.code) for frame in link.frames
        )
        # Cut before and after scrubbing, which is slow for megabytes of text.
        message = self._layout.scrub(link.message[: 4 * MESSAGE_CHARACTERS])[:MESSAGE_CHARACTERS]
        return Raised(
            type=link.type,
            module=link.module,
            bases=tuple(cut(base, 500) for base in link.bases),
            message=message,
            link=link.link,
            frames=tuple(frames),
        )

    def _output(self, file: Path) -> None:
        content, size = read_bytes(file, MAX_OUTPUT_BYTES, tail=True)
        if size > MAX_OUTPUT_BYTES:
            self._distrust(f"wrote more than {MAX_OUTPUT_BYTES // MIB} MiB of output")
        output = text_of(content)
        # Cut before and after scrubbing, like a message; the tail may start in the middle of a folder's name.
        end = self._layout.scrub(output[-4 * TAIL_CHARACTERS :])
        self._facts["tail"] = end[-TAIL_CHARACTERS:]
        self._facts["tail_is_part"] = len(output) > 4 * TAIL_CHARACTERS or len(end) > TAIL_CHARACTERS
        self._warnings(output)
        spoken = _ORACLE.findall(output)
        oracle = self._layout.scrub(spoken[-1][: 4 * ORACLE_CHARACTERS].strip()) if spoken else None
        self._facts["oracle"] = None if oracle is None else cut(oracle, ORACLE_CHARACTERS)
        measured: dict[str, Any] = {}
        self._facts["measured"] = measured
        series: dict[str, list[float]] = {}
        for name, value in _measurements(output):
            measured[name] = value
            if isinstance(value, int | float) and not isinstance(value, bool):
                series.setdefault(name, []).append(value)
            if len(measured) > MAX_MEASUREMENTS:
                raise UntrustedError(f"has more than {MAX_MEASUREMENTS} measurements")
        held = {name: tuple(values[:MAX_SERIES]) for name, values in series.items() if len(values) > 1}
        if held:
            self._facts["series"] = held

    def _warnings(self, output: str) -> None:
        """The warnings of Python in the output, each once; a line may begin with a logger's words or a progress bar."""
        found: dict[tuple[str, str, str], Warned] = {}
        for match in _WARNED.finditer(output):
            key = (match["place"], match["category"], match["message"])
            if key in found:
                continue
            if len(found) == MAX_WARNINGS:
                self._facts["more_warnings"] = True
                break
            file, _, line = match["place"].rpartition(":")
            origin, place = self._layout.locate(self._layout.path_in(file))
            found[key] = Warned(
                category=match["category"],
                message=cut(self._layout.scrub(match["message"][:WARNING_CHARACTERS]), WARNING_CHARACTERS),
                origin=origin,
                file=cut(place, 300),
                line=int(line[:9]),
            )
        self._facts["warnings"] = tuple(found.values())

    def _stack(self, file: Path) -> None:
        content, _ = read_bytes(file, MAX_STACK_BYTES)
        stack = self._layout.stack(text_of(content))
        if stack:
            self._facts["stacks"] = (*self._facts.get("stacks", ()), stack)


def _measurements(output: str) -> Iterator[tuple[str, Any]]:
    """The ``measured NAME = JSON`` lines of a rank's output; values that are not JSON (such as NaN) stay text."""
    for name, value in _MEASURED.findall(output):
        if len(value) > MAX_VALUE_CHARACTERS:
            raise UntrustedError(f"measured {cut(name, 40)}: more than {MAX_VALUE_CHARACTERS >> 10} KiB")
        try:
            yield name, parse_json(value)
        except UntrustedError as error:
            raise UntrustedError(f"measured {cut(name, 40)}: {error}") from None
        except ValueError:
            yield name, value
