"""For each library: its releases and their failures, by the records and by runs.  Pure.

A column stands for all releases up to the next column: between two bounds of records nothing changes, so a few
columns cover every release except pre-releases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.model.affected import plays_a_role, roles_in_words, specifiers_of
from repro.model.failure import Failure
from repro.model.specifiers import covers, range_in_words
from repro.model.verdict import Verdict
from repro.model.version import parsed_version
from repro.report.site.overview import HeatRow


class Word(StrEnum):
    """How a record lists a release of one library."""

    LISTED = "listed"
    WITH_OTHERS = "listed with some releases of others"
    REFUSED = "refused with a clear error"
    UNTRIED = "never tried"
    CLEAR = "not listed"


@dataclass(frozen=True)
class Column:
    """A release and all releases up to the next column."""

    label: str
    version: Version
    pinned: bool
    """True if an environment holds exactly this release."""


@dataclass(frozen=True)
class StripCell:
    """The content of a failure's cell in a column."""

    word: Word
    others: str
    """For ``WITH_OTHERS``: ``torch >=2.5``."""
    verdict: Verdict | None
    """The verdict of the runs on exactly this release, if they agree."""


@dataclass(frozen=True)
class StripSpan:
    """Neighbouring columns of a failure with the same content."""

    cell: StripCell
    first: int
    count: int


@dataclass(frozen=True)
class StripRow:
    failure: Failure
    cells: tuple[StripCell, ...]

    @property
    def spans(self) -> list[StripSpan]:
        """The neighbouring columns with the same content."""
        found = []
        for cell, held in groupby(enumerate(self.cells), key=itemgetter(1)):
            places = [place for place, _ in held]
            found.append(StripSpan(cell, places[0], len(places)))
        return found


@dataclass(frozen=True)
class LibraryStrip:
    """One library."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[StripRow, ...]

    def listed(self, column: int) -> int:
        """The number of failures that list this column, alone or with some releases of other libraries."""
        return sum(row.cells[column].word in {Word.LISTED, Word.WITH_OTHERS} for row in self.rows)


Seen = Mapping[tuple[str, str], frozenset[Verdict]]
"""The verdicts of the runs without a backport, by failure and environment."""
Pins = Mapping[str, Mapping[str, str]]
"""Versions by environment and distribution."""


def seen_of(rows: Iterable[HeatRow]) -> Seen:
    """The verdicts of the runs of the map."""
    found: dict[tuple[str, str], set[Verdict]] = {}
    for row in rows:
        for environment, pairs in row.places.items():
            for tile in (tile for pair in pairs for tile in (pair.cpu, pair.cuda) if tile):
                if tile.row.verdict and not tile.cell.backport and not tile.cell.roles:
                    found.setdefault((row.failure.id, environment), set()).add(Verdict(tile.row.verdict))
    return {key: frozenset(verdicts) for key, verdicts in found.items()}


def strips(failures: Iterable[Failure], pins: Pins, seen: Seen) -> tuple[LibraryStrip, ...]:
    """A strip for each library that decides whether a failure applies, the library with most failures first."""
    concerned: dict[str, list[Failure]] = {}
    for failure in failures:
        # One that must be absent has no releases to show.
        for name in (name for name, texts in specifiers_of(failure).items() if texts):
            concerned.setdefault(name, []).append(failure)
    found = [_strip(name, held, pins, seen) for name, held in concerned.items()]
    return tuple(sorted(found, key=lambda strip: (-len(strip.rows), strip.name)))


def _strip(name: str, failures: Sequence[Failure], pins: Pins, seen: Seen) -> LibraryStrip:
    pinned = {version for held in pins.values() for other, version in held.items() if other == name}
    texts = [text for failure in failures for text in specifiers_of(failure).get(name, ())]
    columns = _columns(texts, pinned)
    made = [(failure, [_cell(failure, name, column, pins, seen) for column in columns]) for failure in failures]
    kept = [
        at
        for at, column in enumerate(columns)
        if at == 0 or column.pinned or any(cells[at].word != cells[at - 1].word for _, cells in made)
    ]
    return LibraryStrip(
        name,
        tuple(columns[at] for at in kept),
        tuple(StripRow(failure, tuple(cells[at] for at in kept)) for failure, cells in made),
    )


def _columns(texts: Iterable[str], pinned: Iterable[str]) -> list[Column]:
    """The releases at which something may change, the oldest first; those before the first bound are one too."""
    exact = {Version(text) for text in pinned}
    labels = {version: str(version) for version in exact}
    for text in texts:
        for clause in SpecifierSet(text):
            bound = parsed_version(clause.version.removesuffix(".*"))
            if bound is None:
                continue
            labels.setdefault(bound, str(bound))
            after = Version(f"{bound.base_version}.0.0.1")
            if clause.operator in {"<=", ">", "==", "!=", "==="}:
                labels.setdefault(after, f"after {bound}")
            if clause.operator in {"==", "!=", "~="}:  # a series ends where the next one begins
                *kept, last = bound.release if clause.version.endswith(".*") else bound.release[:-1] or bound.release
                following = Version(".".join(str(part) for part in (*kept, last + 1)))
                labels.setdefault(following, str(following))
    ordered = sorted(labels)
    return [Column("older", Version("0"), pinned=False), *(Column(labels[at], at, at in exact) for at in ordered)]


def _cell(failure: Failure, name: str, column: Column, pins: Pins, seen: Seen) -> StripCell:
    word, others = word_of(failure, name, str(column.version))
    there = [environment for environment, held in pins.items() if parsed_version(held.get(name, "")) == column.version]
    verdicts = {verdict for environment in there for verdict in seen.get((failure.id, environment), ())}
    decided = verdicts & {Verdict.REPRODUCED, Verdict.ABSENT, Verdict.REJECTED}
    return StripCell(word, others, next(iter(decided)) if len(verdicts) == len(decided) == 1 else None)


def word_of(failure: Failure, name: str, version: str) -> tuple[Word, str]:
    """How a record lists one release of one library, and the releases of other libraries on which that depends."""
    held = {name: version}
    if failure.depends_on_roles and plays_a_role(failure, held):
        return Word.WITH_OTHERS, roles_in_words(failure)
    fitting = [releases for releases in failure.affected if name in releases and covers({name: releases[name]}, held)]
    if any(set(releases) == {name} for releases in fitting):
        return Word.LISTED, ""
    if fitting:
        others = [
            ", ".join(range_in_words(other, text) for other, text in releases.items() if other != name)
            for releases in fitting
        ]
        return Word.WITH_OTHERS, " or ".join(others)
    if any(covers({item.name: item.specifier}, held) for item in failure.never_tried if item.name == name):
        return Word.UNTRIED, ""
    if any(set(item.releases) == {name} and covers(item.releases, held) for item in failure.rejected):
        return Word.REFUSED, ""
    others = [
        ", ".join(range_in_words(other, text) for other, text in releases.items())
        for releases in failure.affected
        if name not in releases
    ]
    return (Word.WITH_OTHERS, " or ".join(others)) if others else (Word.CLEAR, "")
