"""The results of a cell's runs over time, and what changed between them.  Pure.

All runs are judged by today's rule and record, so that a better rule also corrects the past.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from repro.catalog.catalog import Catalog
from repro.model.cell import Cell
from repro.model.failure import Failure
from repro.model.observation import Observation
from repro.model.verdict import Status, Verdict
from repro.verdict.result import Result, judge_repetitions

INCONCLUSIVE = frozenset({Verdict.UNRUNNABLE, Verdict.FLAKY})
"""Verdicts that are no evidence about the failure."""
NOTHING_RECORDED = "nothing that is recorded: the runs themselves differ"
SOURCES = "the reproduction, a backport or the harness"


@dataclass(frozen=True)
class HistoryPoint:
    """The result of a cell in one command."""

    run: str
    date: str
    """The date of its newest repetition, UTC, ISO 8601."""
    result: Result

    @property
    def is_conclusive(self) -> bool:
        return self.result.verdict not in INCONCLUSIVE


@dataclass(frozen=True)
class History:
    """The points of one cell, the oldest first; never empty."""

    cell: Cell
    points: tuple[HistoryPoint, ...]


class News(StrEnum):
    """The events in the feed."""

    RELAPSE = "relapsed"
    CURE = "cured"


@dataclass(frozen=True)
class Turn:
    """Two points of a cell with different results; ``before`` is None if the first point is news."""

    cell: Cell
    before: HistoryPoint | None
    after: HistoryPoint
    moved: tuple[str, ...]
    """The recorded differences between the two runs."""

    @property
    def cause(self) -> str:
        """The key by which turns are grouped: the new error, else the differences."""
        judgement = self.after.result.judgement
        if judgement.verdict in {Verdict.UNRUNNABLE, Verdict.DIFFERENT}:
            return judgement.evidence or judgement.reason
        return ", ".join(self.moved) or NOTHING_RECORDED


@dataclass(frozen=True)
class Coverage:
    """How much of a set of cells one command ran."""

    run: str
    date: str
    """The date of its oldest observation."""
    ran: int
    of: int

    @property
    def complete(self) -> bool:
        return self.ran == self.of


def histories(catalog: Catalog, observations: Iterable[Observation]) -> dict[str, History]:
    """The history of every cell, by its label; an adopted interpreter is named only by its Python version."""
    held: dict[str, dict[str, list[Observation]]] = {}
    for observation in sorted(observations, key=lambda item: (item.started, item.id)):
        cell = observation.cell
        if cell.failure in catalog.entries:
            held.setdefault(cell.label, {}).setdefault(observation.run, []).append(observation)
    return {label: _history(catalog[_cell(runs).failure].failure, runs) for label, runs in held.items()}


def _cell(runs: Mapping[str, Sequence[Observation]]) -> Cell:
    return next(iter(runs.values()))[0].cell


def _history(failure: Failure, runs: Mapping[str, Sequence[Observation]]) -> History:
    points: list[HistoryPoint] = []
    earlier: list[Observation] = []
    for run, observations in sorted(runs.items(), key=lambda item: (item[1][-1].started, item[0])):
        counted = list(observations)
        if failure.rate is not None:
            # A command adds only the runs that the rate still asks for, so the earlier ones count too.
            recipe = observations[-1].recipe
            earlier += observations
            counted = [seen for seen in earlier if seen.recipe == recipe]
        points.append(HistoryPoint(run, observations[-1].started, judge_repetitions(failure, counted)))
    return History(_cell(runs), tuple(points))


def moved(before: Observation, after: Observation, named: Sequence[str]) -> tuple[str, ...]:
    """The differences between two runs: packages in ``named`` by name, the number of all others."""
    words: list[str] = []
    if before.installed and after.installed:
        old, new = before.installed.distributions, after.installed.distributions
        changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        shown = [name for name in changed if name in {*named, "torch"}]
        words += [f"{name} {old.get(name, 'not installed')} → {new.get(name, 'not installed')}" for name in shown]
        others = len(changed) - len(shown)
        words += [f"{others} other package{'s' if others > 1 else ''}"] if others else []
        if before.installed.python != after.installed.python:
            words.append(f"Python {before.installed.python} → {after.installed.python}")
        if not changed and before.recipe != after.recipe:
            words.append(SOURCES)
    if before.hardware.of_class != after.hardware.of_class:
        words.append("the machine")
    if before.launcher != after.launcher and "none" not in {before.launcher, after.launcher}:
        words.append(f"the launcher, {before.launcher} → {after.launcher}")
    return tuple(words)


def _turn(history: History, before: HistoryPoint | None, after: HistoryPoint, named: Sequence[str]) -> Turn:
    words = moved(before.result.newest, after.result.newest, named) if before else ()
    return Turn(history.cell, before, after, words)


def turns(history: History, named: Sequence[str]) -> list[Turn]:
    """Every change of verdict or status between one run and the next, the oldest first."""
    return [
        _turn(history, before, after, named)
        for before, after in pairwise(history.points)
        if (before.result.verdict, before.result.status) != (after.result.verdict, after.result.status)
    ]


def news(history: History, named: Sequence[str]) -> list[tuple[News, Turn]]:
    """Every relapse and cure, the oldest first; an inconclusive run neither begins nor ends one."""
    kinds = {Status.RELAPSED: News.RELAPSE, Status.CURED: News.CURE}
    found: list[tuple[News, Turn]] = []
    before: HistoryPoint | None = None
    for point in history.points:
        if not point.is_conclusive:
            continue
        kind = kinds.get(point.result.status)
        if kind and (before is None or before.result.status is not point.result.status):
            found.append((kind, _turn(history, before, point, named)))
        before = point
    return found


def commands(history: History) -> dict[str, str]:
    """The commands that ran a cell, each with the date of its oldest observation."""
    return {point.run: point.result.observations[0].started for point in history.points}


def coverage(cells: Sequence[Cell], known: Mapping[str, Mapping[str, str]]) -> list[Coverage]:
    """Every command that ran some of the cells, the newest first; ``known`` are the commands by cell label."""
    ran: dict[str, set[str]] = {}
    dates: dict[str, str] = {}
    for label in {cell.label for cell in cells} & set(known):
        for command, first in known[label].items():
            ran.setdefault(command, set()).add(label)
            dates[command] = min(first, dates.get(command, first))
    found = [Coverage(run, dates[run], len(labels), len(cells)) for run, labels in ran.items()]
    return sorted(found, key=lambda item: (item.date, item.run), reverse=True)
