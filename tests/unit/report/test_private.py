"""Redacted copies of runs and answers: every text is redacted, and what holds none is the same object."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from repro.model.base import Strict
from repro.model.failure import Failure
from repro.report.private import redacted, redacted_history, redacted_result
from repro.verdict.history import History, HistoryPoint
from repro.verdict.result import judge_repetitions
from tests.unit.factories import cell, failed, failure, observation, raised, rank
from tests.unit.verdict.test_rare import RATE

PERSON = "alice"
ANYBODY = "<user>"


def hide(text: str) -> str:
    return text.replace(PERSON, ANYBODY)


class Colour(StrEnum):
    ALICE = PERSON


class Inner(Strict):
    text: str
    number: float = 0.5


class Pair(NamedTuple):
    one: str
    other: str


@dataclass(frozen=True)
class Plain:
    text: str


class Known(Strict):
    text: str = ""
    inner: tuple[Inner, ...] = ()
    anything: dict[str, Any] = {}
    colour: Colour | None = None


class Other(Known):
    pair: Pair | None = None
    plain: Plain | None = None


def test_every_text() -> None:
    """However deep it stands; numbers, keys and the words of an enumeration stay."""
    made = Known(
        text=PERSON,
        inner=(Inner(text="x"), Inner(text=f"a {PERSON}")),
        anything={PERSON: [1, {"a": PERSON}, None, True, [PERSON]]},
        colour=Colour.ALICE,
    )
    found = redacted(made, hide)
    assert found.text == ANYBODY
    assert found.inner == (Inner(text="x"), Inner(text=f"a {ANYBODY}"))
    assert found.anything == {PERSON: [1, {"a": ANYBODY}, None, True, [ANYBODY]]}
    assert found.colour is Colour.ALICE
    assert made.text == PERSON
    assert made.inner[1].text == f"a {PERSON}"


def test_what_holds_nothing_private_is_the_same_object() -> None:
    """So that thousands of runs can share it."""
    made = Known(text="x", inner=(Inner(text="x"),), anything={"a": ["b"]})
    assert redacted(made, hide) is made
    other = made.model_copy(update={"text": PERSON})
    assert redacted(other, hide).inner is made.inner


def test_types_that_are_not_known() -> None:
    """A value of another type may hold text too, and is never passed on as it is."""
    found = redacted(Other(text=PERSON, pair=Pair("x", PERSON), plain=Plain(PERSON)), hide)
    assert PERSON not in found.model_dump_json()
    assert found.pair == Pair("x", ANYBODY)
    assert found.plain == Plain(ANYBODY)


def ranks() -> tuple[Any, ...]:
    return (failed(0, raised("KeyError", PERSON), tail=f"{PERSON} printed"), rank(1, tail=PERSON))


def rare() -> Failure:
    return failure(rate=RATE)


def test_a_result() -> None:
    """The runs, the judgement, and of a rare failure the run that is shown."""
    made = observation(*ranks(), launcher_tail=PERSON)
    for held in (failure(), rare()):
        result = judge_repetitions(held, [made])
        found = redacted_result(result, hide)
        assert PERSON not in found.newest.model_dump_json()
        assert PERSON not in str(found)
        assert f"{ANYBODY} printed" in found.newest.ranks[0].tail
        silent = redacted_result(result, hide, output=False)
        assert [one.tail for one in silent.newest.ranks] == ["", ""]
        assert silent.newest.launcher_tail == ""


def test_a_history() -> None:
    """What ranks did is in none of its points, except in the last of an interpreter that no lookup finds."""
    for place, kept in (("old", False), ("python:3.12.3", True)):
        made = observation(*ranks(), cell=cell(environment=place), fault=None)
        points = [HistoryPoint(run, made.started, judge_repetitions(failure(), [made])) for run in ("a", "b")]
        found = redacted_history(History(made.cell, tuple(points)), hide)
        assert PERSON not in str(found)
        first, last = (point.result.newest for point in found.points)
        assert first.ranks == ()
        assert bool(last.ranks) is kept
        assert [point.result.verdict for point in found.points] == [point.result.verdict for point in points]
