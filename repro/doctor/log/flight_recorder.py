"""Reads dumps of torch's flight recorder: the collectives that one rank called, as a pickle of plain data or as JSON.

A dump is untrusted: its size is bounded, nothing of a pickle is run, and what has another form is passed over.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from repro.doctor.log.plain_pickle import NotPlainError, is_pickle, plain_data
from repro.doctor.log.traces import owner
from repro.model.clean import clean
from repro.model.errors import UsageError
from repro.model.observation import Frame

MOST_BYTES = 64 << 20
MOST_CALLS = 20_000
"""The number of calls, the last ones of a dump, that are read."""
MOST_DUMPS = 512
MOST_FRAMES = 100
MOST_RANKS = 16_384
WORD_BITS = 64
_RANKS_CHARACTERS = 8 * MOST_RANKS
_CHARACTERS = 200
_RANK = re.compile(r"(?:^|[._-]|rank)(\d{1,6})(?:\.\w{1,10})?$")
KEYS = ("entries", "profiling_name", "collective_seq_id", "pg_config", "pg_status", "nccl_comm_state")
ENOUGH = 2
"""The number of these keys at the start of a JSON text that is taken for a dump."""
START = 1 << 16
_IN_BYTES = tuple(f'"{key}"'.encode() for key in KEYS)
_AS_JSON = "torch._C._distributed_c10d._dump_nccl_trace_json() gives the JSON form"


@dataclass(frozen=True, slots=True)
class Collective:
    """One collective, or one send or receive, as the rank called it."""

    place: int
    """Its place in the dump, from 1."""
    group: str
    """The name of the process group."""
    title: str
    """The description of the process group, or its name."""
    number: int
    """Its number among the calls of its group, as the dump states it."""
    operation: str
    state: str
    waits: bool
    """True if it was not known to be complete."""
    tensors: str
    """Sizes and types of the inputs."""
    is_p2p: bool
    frames: tuple[Frame, ...] = ()
    """Where the rank called it, the innermost frame last; empty in the JSON form."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What one rank had called."""

    name: str
    """The name of the file."""
    rank: str | None
    """From the file's name."""
    calls: tuple[Collective, ...]
    members: Mapping[str, tuple[str, ...]]
    """The ranks of each process group, as far as the dump states them."""


def is_dump(start: bytes) -> bool:
    """True if a file begins as a flight recorder dump, or as another pickle."""
    return is_pickle(start) or (start.lstrip()[:1] == b"{" and sum(key in start for key in _IN_BYTES) >= ENOUGH)


def starts_as_dump(stream: BinaryIO) -> bool:
    """True if what comes next in a stream is a dump; nothing is taken from it."""
    peek = getattr(stream, "peek", None)
    start: bytes = peek(START) if peek else b""
    return is_dump(start[:START])


def read_dump(stream: BinaryIO, name: str) -> Dump:
    """The dump of one rank; raises UsageError if it is too large, or is none."""
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{name}: is larger than {MOST_BYTES >> 20} MB; a flight recorder dump is smaller")
    try:
        value = plain_data(content) if is_pickle(content) else json.loads(content)
    except NotPlainError as error:
        raise UsageError(
            f"{name}: {error}: nothing of it is run. torch's flight recorder writes plain data; {_AS_JSON}"
        ) from None
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: begins as a flight recorder dump, but is broken JSON") from None
    entries = value.get("entries") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(entries, list | tuple):
        raise UsageError(f"{name}: holds no entries of a flight recorder")
    numbered = list(enumerate(entries, 1))[-MOST_CALLS:]
    calls = tuple(_call(place, entry) for place, entry in numbered if isinstance(entry, dict))
    found = _RANK.search(name)
    return Dump(name, str(int(found[1])) if found else None, calls, dict(_members(value.get("pg_config"))))


def dumps_of(folder: Path) -> list[Dump]:
    """The dumps of a folder, one file for each rank; other files are passed over.

    Raises UsageError if none is there, or if a pickle there holds more than plain data.
    """
    found = []
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file() and not file.is_symlink())
        for file in files:
            with file.open("rb") as stream:
                if starts_as_dump(stream):
                    found.append(read_dump(stream, file.name))
            if len(found) > MOST_DUMPS:
                raise UsageError(f"{folder}: holds more than {MOST_DUMPS} dumps; give those of fewer ranks")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from None
    if not found:
        raise UsageError(f"{folder}: is a folder without dumps of a flight recorder; a log is expected")
    return sorted(found, key=lambda dump: (int(dump.rank) if dump.rank else MOST_BYTES, dump.name))


def _call(place: int, entry: Mapping[Any, Any]) -> Collective:
    named = entry.get("process_group")
    names = [_text(item) for item in named] if isinstance(named, list | tuple) else []
    group = names[0] if names else _text(entry.get("pg_id", ""))
    title = names[1] if len(names) > 1 and names[1] not in {"", "undefined"} else group
    is_p2p = entry.get("is_p2p") is True
    numbers = [entry.get(key) for key in (("p2p_seq_id",) if is_p2p else ("collective_seq_id", "seq_id"))]
    state = _text(entry.get("state", ""))
    return Collective(
        place=place,
        group=group,
        title=title,
        number=next((number for number in numbers if _is_short(number)), 0),
        operation=_text(entry.get("profiling_name", "")),
        state=state,
        waits=state != "completed" and entry.get("retired") is not True,
        tensors=_tensors(entry),
        is_p2p=is_p2p,
        frames=tuple(_frames(entry.get("frames"))),
    )


def _text(value: object) -> str:
    return clean(str(value)[:_CHARACTERS]) if isinstance(value, str) or _is_short(value) else ""


def _is_short(value: object) -> TypeGuard[int]:
    """True for a number that fits a machine word; Python refuses to print one of very many digits."""
    return isinstance(value, int) and value.bit_length() <= WORD_BITS


def _tensors(entry: Mapping[Any, Any]) -> str:
    """Sizes and types of the inputs: ``[4, 8] Float, [2] Long``."""
    sizes, types = entry.get("input_sizes"), entry.get("input_dtypes")
    if not isinstance(sizes, list | tuple):
        return ""
    kinds = [_text(kind) for kind in types[:3]] if isinstance(types, list | tuple) else []
    shown = []
    for at, size in enumerate(sizes[:3]):
        numbers = [_text(number) for number in size[:10]] if isinstance(size, list | tuple) else []
        shown.append(f"[{', '.join(numbers)}] {kinds[at] if at < len(kinds) else ''}".strip())
    return ", ".join([*shown, *([f"{len(sizes)} in all"] if len(sizes) > len(shown) else [])])


def _frames(value: object) -> Iterator[Frame]:
    """The frames of Python files, the innermost one last."""
    frames = value[:MOST_FRAMES] if isinstance(value, list | tuple) else ()
    for frame in reversed(frames):
        if not isinstance(frame, dict):
            continue
        file, name, line = (frame.get(key) for key in ("filename", "name", "line"))
        if isinstance(file, str) and isinstance(name, str) and file.endswith((".py", ">")):
            origin, path = owner(clean(file[:1000]))
            number = line if _is_short(line) and 0 <= line < 10**9 else 0
            yield Frame(origin=origin, file=path[:500], function=clean(name[:300]), line=number)


def _members(configured: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The ranks of each group: the dump has them as a text, ``[0, 1]``."""
    items: Iterable[tuple[Any, Any]] = configured.items() if isinstance(configured, dict) else ()
    for name, group in items:
        ranks = group.get("ranks") if isinstance(group, dict) else None
        listed = (
            [str(rank) for rank in ranks[:MOST_RANKS] if _is_short(rank)] if isinstance(ranks, list | tuple) else []
        )
        numbers = re.findall(r"\d{1,6}", ranks[:_RANKS_CHARACTERS]) if isinstance(ranks, str) else listed
        if isinstance(name, str) and numbers:
            yield name, tuple(str(int(number)) for number in numbers)
