"""The content of a failure page, computed once; the Markdown and HTML pages only render it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.catalog.catalog import Entry
from repro.model.cell import Cell
from repro.model.failure import Failure, Survey
from repro.model.observation import Frame, Origin
from repro.report.answers import Section, sections
from repro.report.rows import Lookup, Row, row_of
from repro.report.upstream import UpstreamComparison, compare_with_upstream
from repro.search.ablation import Ablation, ablation_cells, analyse, factors_of, rows
from repro.store.answers import Stored
from repro.verdict import claims
from repro.verdict.result import Result

SHOWN_FRAMES = 8


@dataclass(frozen=True)
class AblationTable:
    """An ablation, and the rows that it was computed from."""

    environment: str
    names: tuple[str, ...]
    rows: tuple[tuple[dict[str, str], Row], ...]
    reading: Ablation

    @property
    def influences(self) -> object:
        return self.reading.influences

    @property
    def smallest(self) -> object:
        return self.reading.smallest

    @property
    def undecided(self) -> int:
        return self.reading.undecided


@dataclass(frozen=True)
class Root:
    """The deciding error of a run, with the relevant frames."""

    where: str
    rank: int
    frames: tuple[Frame, ...]
    line: str


@dataclass(frozen=True)
class Surveyed:
    """One environment of a survey: the verdict and the measurements; no verdict if it was not run."""

    verdict: str | None
    measured: str = ""


@dataclass(frozen=True)
class SurveyTable:
    """The same set of rows on several environments."""

    title: str
    environments: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Surveyed, ...]], ...]


class StoredResults(Mapping[str, Result]):
    """The results of those cells that were run, by the cell's label; each is redacted when it is first used."""

    def __init__(self, lookup: Lookup, cells: Iterable[Cell]) -> None:
        self._lookup = lookup
        self._cells = {cell.label: cell for cell in cells if lookup.as_stored(cell) is not None}

    def __getitem__(self, label: str) -> Result:
        found = self._lookup.result(self._cells[label])
        if found is None:
            raise KeyError(label)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)


@dataclass(frozen=True)
class FailureView:
    """Everything known about a failure, from its record and the store."""

    entry: Entry
    rows: tuple[Row, ...]
    """The rows of its default cells."""
    results: Mapping[str, Result]
    """The results of all its cells (default cells, claims and surveys), by the cell's label."""
    root: Root | None
    surveys: tuple[SurveyTable, ...]
    ablation: AblationTable | None
    claims: tuple[claims.ExaminedClaim, ...]
    searches: tuple[Section, ...]
    answers: tuple[Stored, ...]
    upstream: UpstreamComparison
    """Upstream's statements beside the runs."""

    @property
    def failure(self) -> Failure:
        return self.entry.failure


def failure_view(
    entry: Entry, cells: Sequence[Cell], lookup: Lookup, ablated: str | None, answers: Sequence[Stored] = ()
) -> FailureView:
    """Everything known about a failure; ``ablated`` is the environment of its ablation."""
    failure = entry.failure
    found = StoredResults(lookup, [*cells, *claims.cells_of(failure)])
    table = tuple(lookup.row(cell) for cell in cells)
    return FailureView(
        entry=entry,
        rows=table,
        results=found,
        root=_root(cells, lookup),
        surveys=tuple(_survey(failure, survey, found) for survey in failure.surveys),
        ablation=_ablation(failure, ablated, lookup) if ablated else None,
        claims=tuple(claims.examine(failure, found)),
        searches=tuple(sections(answers)),
        answers=tuple(answers),
        upstream=compare_with_upstream(failure, table, answers),
    )


def format_predicted(item: claims.CheckedEvidence) -> str:
    """The prediction of a claim for a cell."""
    measured = [f"{name} {text}" for name, text in item.evidence.measured.items()]
    verdict = [item.evidence.predicts.value] if item.evidence.predicts.value != "any" else []
    return "; ".join(verdict + measured)


def format_measured(item: claims.CheckedEvidence) -> str:
    """The measured values of the facts that a claim names; empty if there are none."""
    if item.result is None:
        return ""
    found = claims.measurements(item.result)
    return "; ".join(f"{name} = {found[name]}" for name in item.evidence.measured if name in found)


def _root(cells: Iterable[Cell], lookup: Lookup) -> Root | None:
    """The error of the first cell that shows the failure."""
    for cell in cells:
        stored = lookup.as_stored(cell)
        if stored is None or stored.verdict != "reproduced" or stored.judgement.rank is None:
            continue
        result = lookup.result(cell)
        if result is None or result.judgement.rank is None:
            continue
        error = result.newest.ranks[result.judgement.rank].error
        if error is None:
            continue
        frames = tuple(frame for frame in error.frames if frame.origin is not Origin.HARNESS)[-SHOWN_FRAMES:]
        return Root(result.cell.environment.label, result.judgement.rank, frames, error.line)
    return None


def _survey(failure: Failure, survey: Survey, results: Mapping[str, Result]) -> SurveyTable:
    table = [
        (row.label, tuple(_surveyed(results.get(cell.label), survey) for cell in cells))
        for row, cells in zip(survey.rows, claims.survey_cells(failure, survey), strict=True)
    ]
    return SurveyTable(survey.title, survey.environments, tuple(table))


def _surveyed(result: Result | None, survey: Survey) -> Surveyed:
    if result is None:
        return Surveyed(None)
    found = claims.measurements(result)
    shown = [f"{name} = {_number(found[name])}" for name in survey.measured if name in found]
    return Surveyed(result.verdict, ", ".join(shown))


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _ablation(failure: Failure, environment: str, lookup: Lookup) -> AblationTable | None:
    """The stored part of the ablation; None if the default row was not run."""
    factors = factors_of(failure)
    found: list[tuple[dict[str, str], Result]] = []
    for row, cell in zip(rows(factors), ablation_cells(failure, environment), strict=True):
        result = lookup.result(cell)
        if result is not None:
            found.append((row, result))
    if len(found) < 2:  # noqa: PLR2004 - one row is no comparison
        return None
    reading = analyse(factors, [(row, result.verdict) for row, result in found])
    shown = tuple((row, row_of(result, failure.concerns)) for row, result in found)
    return AblationTable(environment, tuple(factor.name for factor in factors), shown, reading)
