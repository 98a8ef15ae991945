"""The rule that compares a trace of a log with the pattern of a failure.  Pure.

A wrong match is worse than none, so every part of a pattern must be seen.  If the log lacks a part, the match is
uncertain; if a part differs, there is no match.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

from repro.doctor.log.traces import Trace, package_of
from repro.model.observation import Frame, Origin
from repro.model.pattern import groups_found, is_found, is_whole
from repro.model.seen_as import Relation, SeenAs, SeenFrame

COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Frames that Python before 3.12 gives to comprehensions."""


class Grade(IntEnum):
    """How certain a match is."""

    NONE = 0
    COULD_BE = 1
    KNOWN = 2


@dataclass(frozen=True)
class Comparison:
    """What a pattern and a trace have in common, and how they differ."""

    grade: Grade
    because: tuple[str, ...] = ()
    """The parts that were seen."""
    but: tuple[str, ...] = ()
    """Parts that could not be seen, and other causes of the same trace."""
    differs: tuple[str, ...] = ()
    """Parts that contradict the pattern."""
    near: float = 0.0
    """Similarity between 0 and 1, to find the nearest failures."""


def compare(pattern: SeenAs, trace: Trace, noted: Collection[str] = ()) -> Comparison:
    """Compare a pattern of an error or a hang with a trace; ``noted`` are the patterns of lines that were seen."""
    if pattern.kind not in {"error", "hang"}:
        return Comparison(Grade.NONE)
    seen = _Seen()
    if pattern.hang:
        _compare_hang(pattern, trace, seen)
    else:
        _compare_error(pattern, trace, seen)
    _compare_frames(pattern, trace, seen)
    if pattern.beside and pattern.beside not in noted:
        seen.differs.append(f"no line of the log matches {pattern.beside!r}")
    if pattern.but:
        seen.but.append(pattern.but)
    near = seen.points / max(seen.possible, 1)
    if seen.differs:
        return Comparison(Grade.NONE, tuple(seen.because), (), tuple(seen.differs), near)
    grade = Grade.COULD_BE if seen.but else Grade.KNOWN
    return Comparison(grade, tuple(seen.because), tuple(seen.but), (), near)


class _Seen:
    """Collects the parts of a comparison."""

    def __init__(self) -> None:
        self.because: list[str] = []
        self.but: list[str] = []
        self.differs: list[str] = []
        self.points = 0.0
        self.possible = 0.0

    def part(self, weight: float, *, same: bool, what: str, other: str) -> bool:
        """Count one part: ``what`` if it was seen, else ``other``, which was seen instead."""
        self.possible += weight
        if same:
            self.points += weight
            self.because.append(what)
        else:
            self.differs.append(other)
        return same


def _compare_hang(pattern: SeenAs, trace: Trace, seen: _Seen) -> None:
    stands = trace.stack or trace.interrupted
    other = trace.error.type or "a traceback without an end"
    seen.part(1, same=stands, what="a rank stands still", other=f"{other} was raised; the failure is a hang")
    if pattern.error and trace.error.type and not trace.interrupted and trace.error.type not in pattern.error:
        seen.differs.append(f"the type is {trace.error.type}")


def _compare_error(pattern: SeenAs, trace: Trace, seen: _Seen) -> None:
    error = trace.error
    if trace.stack or trace.interrupted or not (error.type or error.message):
        seen.differs.append("nothing was raised")
        return
    types = " or ".join(pattern.error)
    if error.type:
        seen.part(1, same=error.type in pattern.error, what=error.type, other=f"the type is {error.type}, not {types}")
    else:
        seen.possible += 1
        seen.but.append(f"the exception's type is not in the log; {types} is expected")
    if pattern.message:
        matched = _is_said(pattern.message, error.message)
        seen.part(3, same=matched, what="its message", other="the message is another one")
        if not matched:
            seen.points += 3 * _likeness(pattern.message, error.message)
            return
    if pattern.lacks and is_found(pattern.lacks, error.message):
        seen.differs.append(f"the message also holds {pattern.lacks!r}")
    for relation in pattern.holds:
        _compare_relation(pattern, relation, error.message, seen)


def _is_said(pattern: str, message: str) -> bool:
    """True if the pattern matches the message, or its first line: what a job prints next may follow the message."""
    return is_found(pattern, message) or is_found(pattern, message.partition("\n")[0])


def _compare_relation(pattern: SeenAs, relation: Relation, message: str, seen: _Seen) -> None:
    pairs = [
        (found.get(relation.group, ""), found.get(relation.other, ""))
        for found in groups_found(pattern.message, message)
    ]
    holding = [pair for pair in pairs if holds(relation.relation, *pair)]
    said = f"{relation.group} is {relation.relation} of {relation.other}".replace("is equal of", "is equal to")
    wrong = next((pair for pair in pairs if pair not in holding), ("", ""))
    seen.part(
        2,
        same=bool(pairs) and len(holding) == len(pairs),
        what=f"{said} ({pairs[0][1]} and {pairs[0][0]})" if pairs else said,
        other=f"{relation.group} {wrong[0]} is not {relation.relation} of {relation.other} {wrong[1]}",
    )


def holds(relation: str, value: str, other: str) -> bool:
    """True if two groups of a message, numbers or dimensions of shapes, satisfy a relation."""
    left, right = _numbers(value), _numbers(other)
    if not left or len(left) != len(right):
        return False
    if relation == "equal":
        return left == right
    if relation == "twice":
        return all(one == 2 * two for one, two in zip(left, right, strict=True)) and any(right)
    changed = [(one, two) for one, two in zip(left, right, strict=True) if one != two]
    return len(changed) == 1 and changed[0][0] == 2 * changed[0][1]


_NUMBER = re.compile(r"\d{1,15}")


def _numbers(text: str) -> list[int]:
    return [int(found) for found in _NUMBER.findall(text)]


def _compare_frames(pattern: SeenAs, trace: Trace, seen: _Seen) -> None:
    frames = trace.error.frames
    for unwanted in pattern.without:
        found = next((frame for frame in frames if is_frame(unwanted, frame)), None)
        if found is not None:
            seen.differs.append(f"the traceback goes through {_shown(found)}")
    if not pattern.frames:
        return
    weight = 2.0
    if not frames:
        seen.possible += weight
        if pattern.alone:
            return
        seen.differs.append("the log holds no traceback, and the message alone says too little")
        return
    missing = _missing(pattern.frames, frames, in_order=not trace.mixed)
    last = pattern.frames[-1]
    if missing and trace.cut and last not in missing:
        seen.possible += weight
        seen.points += weight / 2
        where = ", ".join(_named(frame) for frame in missing)
        seen.but.append(f"the log does not show whether {where} called it: the head of the traceback is missing")
        return
    if missing and _is_by_name(pattern, frames, in_order=not trace.mixed):
        seen.possible += weight
        seen.points += weight / 2
        seen.but.append("the traceback names files without their folders: their library is not known")
        return
    same = not missing
    what = f"raised in {_named(last)}" if not pattern.hang else f"in {_named(last)}"
    other = f"not in {_named(missing[0])}" if missing else ""
    if same and not pattern.inside and not trace.mixed and not _is_innermost(last, frames):
        same, other = False, f"raised in {_shown(frames[-1])}, not in {_named(last)}"
    seen.part(weight, same=same, what=what, other=other)


def _missing(wanted: Sequence[SeenFrame], frames: Sequence[Frame], *, in_order: bool) -> list[SeenFrame]:
    """The frames of a pattern that a traceback lacks."""
    missing = []
    at = 0
    for want in wanted:
        found = next((index for index in range(at, len(frames)) if is_frame(want, frames[index])), None)
        if found is None:
            missing.append(want)
        elif in_order:
            at = found + 1
    return missing


def _is_by_name(pattern: SeenAs, frames: Sequence[Frame], *, in_order: bool) -> bool:
    """True if frames whose library is not known have the names of the wanted functions."""
    if all(frame.origin is not Origin.OTHER for frame in frames):
        return False
    wanted = [frame.model_copy(update={"library": ""}) for frame in pattern.frames]
    return not _missing(wanted, frames, in_order=in_order) and (pattern.inside or is_frame(wanted[-1], frames[-1]))


def _is_innermost(last: SeenFrame, frames: Sequence[Frame]) -> bool:
    """True if the wanted frame is the innermost one with an owner; a comprehension is part of its function."""
    owned = [frame for frame in frames if frame.origin in {Origin.LIBRARY, Origin.SCRIPT}]
    while len(owned) > 1 and owned[-1].function in COMPREHENSIONS and owned[-1].file == owned[-2].file:
        owned.pop()
    inner = owned[-1] if owned else None
    return inner is not None and is_frame(last, inner)


def is_frame(wanted: SeenFrame, frame: Frame) -> bool:
    """True if a frame is one that a pattern names."""
    if wanted.library and wanted.library != package_of(frame):
        return False
    return is_whole(wanted.function, frame.function.removesuffix("()").rpartition(".")[2])


def _named(frame: SeenFrame) -> str:
    return f"{frame.library}'s {frame.function}" if frame.library else frame.function


def _shown(frame: Frame) -> str:
    package = package_of(frame)
    return f"{package}'s {frame.function}" if package not in {"", "script"} else frame.function


_WORD = re.compile(r"[A-Za-z_]{4,}")


def _likeness(pattern: str, message: str) -> float:
    """The share of a pattern's words that a message holds; used only to find the nearest failures."""
    words = {word.lower() for word in _WORD.findall(pattern)}
    said = {word.lower() for word in _WORD.findall(message[:2000])}
    return len(words & said) / len(words) * 0.8 if words else 0.0
