"""The rule: everything that a pattern asks for must be seen."""

from typing import Any

import pytest

from repro.doctor.log.rule import Grade, compare, holds
from repro.doctor.log.traces import Trace
from repro.model.observation import Frame, Origin, Raised
from repro.model.seen_as import SeenAs


def frame(function: str, package: str = "lightning") -> Frame:
    if package == "script":
        return Frame(origin=Origin.SCRIPT, file="train.py", function=function, line=1)
    return Frame(origin=Origin.LIBRARY, file=f"{package}/a.py", function=function, line=1)


def trace(*frames: Frame, type: str = "KeyError", message: str = "'a'", **changes: Any) -> Trace:  # noqa: A002
    return Trace(Raised(type=type, module="", message=message, frames=frames), 1, **changes)


def pattern(**changes: Any) -> SeenAs:
    base = {
        "name": "p",
        "error": ["KeyError"],
        "message": "^'a'$",
        "frames": [{"library": "lightning", "function": "save"}],
    }
    return SeenAs.model_validate({key: value for key, value in (base | changes).items() if value is not None})


def grade(seen: SeenAs, found: Trace) -> Grade:
    return compare(seen, found).grade


def test_everything_seen() -> None:
    """Type, message and place: known."""
    assert grade(pattern(), trace(frame("fit"), frame("save"))) is Grade.KNOWN


def test_other_name_of_a_package() -> None:
    """pytorch_lightning is lightning."""
    assert grade(pattern(), trace(frame("save", "pytorch_lightning"))) is Grade.KNOWN


@pytest.mark.parametrize(
    "found",
    [
        trace(frame("save"), type="ValueError"),
        trace(frame("save"), message="'b'"),
        trace(frame("load")),
        trace(frame("save"), frame("hook", "script")),
        trace(frame("save"), frame("inner")),
        trace(frame("save", "torch")),
        trace(),
        trace(frame("save"), stack=True, type="", message=""),
        trace(frame("save"), type="KeyboardInterrupt", message=""),
    ],
    ids=[
        "type",
        "message",
        "function",
        "user's code inside",
        "library's code inside",
        "library",
        "no frames",
        "stack",
        "Ctrl-C",
    ],
)
def test_anything_else_is_no_match(found: Trace) -> None:
    """One part that differs, or that the log does not hold, is enough."""
    compared = compare(pattern(), found)
    assert compared.grade is Grade.NONE
    assert compared.differs


def test_alone() -> None:
    """A message that is specific enough needs no traceback, but a traceback that differs counts."""
    assert grade(pattern(alone=True), trace()) is Grade.KNOWN
    assert grade(pattern(alone=True), trace(frame("load"))) is Grade.NONE


def test_cut_head() -> None:
    """Outer frames that a cut head may have held make it uncertain; the innermost must be there."""
    seen = pattern(frames=[{"library": "lightning", "function": "fit"}, {"library": "lightning", "function": "save"}])
    assert grade(seen, trace(frame("save"), cut=True)) is Grade.COULD_BE
    assert grade(seen, trace(frame("save"))) is Grade.NONE
    assert grade(seen, trace(frame("fit"), cut=True)) is Grade.NONE


def test_order() -> None:
    """Frames stand in the order of the calls, but for ranks whose lines are mixed."""
    seen = pattern(
        frames=[{"library": "lightning", "function": "fit"}, {"library": "lightning", "function": "save"}], inside=True
    )
    assert grade(seen, trace(frame("save"), frame("fit"))) is Grade.NONE
    assert grade(seen, trace(frame("save"), frame("fit"), mixed=True)) is Grade.KNOWN


def test_unwanted_parts() -> None:
    """What must not be there."""
    assert grade(pattern(lacks="a"), trace(frame("save"))) is Grade.NONE
    seen = pattern(without=[{"library": "torch", "function": ".*"}])
    assert grade(seen, trace(frame("x", "torch"), frame("save"))) is Grade.NONE


def test_lost_type_and_reservation() -> None:
    """A type that the log lost, and a record's own reservation: could be."""
    assert grade(pattern(), trace(frame("save"), type="")) is Grade.COULD_BE
    assert grade(pattern(but="others do so too"), trace(frame("save"))) is Grade.COULD_BE


def test_beside() -> None:
    """Another line that must be in the log."""
    seen = pattern(beside="a warning")
    assert compare(seen, trace(frame("save"))).grade is Grade.NONE
    assert compare(seen, trace(frame("save")), {"a warning"}).grade is Grade.KNOWN


@pytest.mark.parametrize(
    ("relation", "value", "other", "expected"),
    [
        ("equal", "4, 8", "4, 8", True),
        ("equal", "4, 8", "4, 9", False),
        ("twice", "50", "25", True),
        ("twice", "25", "50", False),
        ("twice", "0", "0", False),
        ("one dimension twice", "1, 8, 50, 32", "1, 8, 25, 32", True),
        ("one dimension twice", "1, 8, 25, 32", "1, 8, 50, 32", False),
        ("one dimension twice", "2, 8, 50, 32", "1, 8, 25, 32", False),
        ("one dimension twice", "1, 8, 51, 32", "1, 8, 25, 32", False),
        ("one dimension twice", "8, 50", "1, 8, 25", False),
        ("equal", "", "", False),
    ],
)
def test_relations(relation: str, value: str, other: str, expected: bool) -> None:
    """Numbers and shapes that stand in a relation; shapes of different length never do."""
    assert holds(relation, value, other) is expected


def test_every_place_counts() -> None:
    """A relation must hold in every place where the message matches."""
    seen = pattern(
        message=r"(?P<a>\d+) (?P<b>\d+)", holds=[{"group": "b", "relation": "twice", "other": "a"}], frames=None
    )
    assert grade(seen, trace(message="1 2\n3 6")) is Grade.KNOWN
    assert grade(seen, trace(message="1 2\n3 7")) is Grade.NONE


def test_hang() -> None:
    """A stack that stands still, dumped or interrupted; an exception there is none."""
    seen = SeenAs.model_validate(
        {"name": "p", "hang": True, "inside": True, "frames": [{"library": "torch", "function": "broadcast"}]}
    )
    stands = (frame("broadcast", "torch"), frame("wait", "torch"))
    assert grade(seen, trace(*stands, stack=True, type="", message="")) is Grade.KNOWN
    assert grade(seen, trace(*stands, type="KeyboardInterrupt", message="")) is Grade.KNOWN
    assert grade(seen, trace(*stands, type="RuntimeError")) is Grade.NONE
