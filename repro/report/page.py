"""``<id>.md``: the page of a failure.  Words come from the record, numbers from stored observations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from repro import claims
from repro.catalog.loading import Entry
from repro.catalog.records import Failure, Signature, Survey
from repro.cell import Cell
from repro.observation import Frame, Origin
from repro.report.declared import standing
from repro.report.markdown import code, escape, span
from repro.report.rows import Lookup, Row, row_of
from repro.report.searches import sections
from repro.report.words import (
    VERDICT_GLYPHS,
    count_words,
    evidence_words,
    reference,
    releases_words,
    verdict_words,
    versions_words,
    where_words,
)
from repro.result import Result
from repro.search.ablation import Ablation, analyse, factors_of, rows
from repro.search.answers import Stored
from repro.search.cells import ablation_cells

SHOWN_FRAMES = 8


@dataclass(frozen=True)
class AblationTable:
    """An ablation with the rows that it was read from."""

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
    """The deciding error of a run, with the frames that a reader needs."""

    where: str
    rank: int
    frames: tuple[Frame, ...]
    line: str


def signature_words(signature: Signature) -> str:
    """``KeyError /.../ in save_checkpoint of lightning, on all ranks``."""
    ranks = {"all": "on every rank", "any": "on some rank"}.get(str(signature.ranks), f"on rank {signature.ranks} only")
    if signature.kind == "hang":
        return f"hangs in {signature.function}, {ranks}"
    place = f" in {signature.function}" if signature.function else ""
    owner = f" of {signature.library}" if signature.library else ""
    return f"{signature.type} /{signature.message}/{place}{owner}, {ranks}"


def failure_markdown(
    entry: Entry, cells: Sequence[Cell], lookup: Lookup, ablated: str | None, answers: Sequence[Stored] = ()
) -> str:
    """The whole page of a failure, from what is stored."""
    failure = entry.failure
    results = {cell.label: lookup.result(cell) for cell in [*cells, *claims.cells_of(failure)]}
    found = {label: result for label, result in results.items() if result is not None}
    table = [lookup.row(cell) for cell in cells]
    dates = sorted(row.date for row in table if row.verdict)
    environment = Environment(
        loader=PackageLoader("repro.report"),
        undefined=StrictUndefined,
        trim_blocks=False,
        autoescape=False,  # noqa: S701 - Markdown, escaped by filters
        keep_trailing_newline=True,
    )
    environment.filters.update(_filters(failure))
    return environment.get_template("failure.md.j2").render(
        failure=failure,
        backports={backport.name: backport for backport in failure.backports},
        backport_files={item.name: f"repro/failures/{failure.id}/{item.file}" for item in failure.backports},
        rows=table,
        run=len(dates),
        span=span(dates[0], dates[-1]) if dates else "",
        root=_root([found[cell.label] for cell in cells if cell.label in found]),
        surveys=[_survey(failure, survey, found) for survey in failure.surveys],
        ablation=_ablation(failure, ablated, lookup) if ablated else None,
        claims=claims.examine(failure, found),
        searches=sections(answers),
        standing=standing(failure, table, answers),
    )


def _filters(failure: Failure) -> Mapping[str, Callable[..., str]]:
    return {
        "md": escape,
        "releases": releases_words,
        "reference": reference,
        "signature": signature_words,
        "where": where_words,
        "verdict": verdict_words,
        "count": count_words,
        "versions": versions_words,
        "evidence": lambda row: code(evidence_words(row)) if row.verdict else escape(evidence_words(row)),
        "glyph": lambda verdict: f"{VERDICT_GLYPHS[verdict]} {verdict}",
        "cell": lambda item: where_words(Row(cell=item.cell)),
        "predicted": _predicted,
        "observed": lambda item: _observed(failure, item),
    }


def _predicted(item: claims.Weighed) -> str:
    measured = [f"{name} {text}" for name, text in item.evidence.measured.items()]
    verdict = [item.evidence.predicts.value] if item.evidence.predicts.value != "any" else []
    return "; ".join(verdict + measured)


def _observed(failure: Failure, item: claims.Weighed) -> str:
    if item.result is None:
        return "not run"
    row = row_of(item.result, failure.distributions)
    found = claims.measurements(item.result)
    shown = [f"{name} = {found[name]}" for name in item.evidence.measured if name in found]
    return f"{verdict_words(row)} {code('; '.join(shown) or evidence_words(row))}"


def _root(results: Sequence[Result]) -> Root | None:
    """The error of the first cell that shows the failure."""
    for result in results:
        if result.verdict != "reproduced" or result.judgement.rank is None:
            continue
        error = result.newest.ranks[result.judgement.rank].error
        if error is None:
            continue
        frames = tuple(frame for frame in error.frames if frame.origin is not Origin.HARNESS)[-SHOWN_FRAMES:]
        return Root(result.cell.environment, result.judgement.rank, frames, error.line)
    return None


def _survey(failure: Failure, survey: Survey, results: Mapping[str, Result]) -> dict[str, Any]:
    table = []
    for row, cells in zip(survey.rows, claims.survey_cells(failure, survey), strict=True):
        table.append((row.label, [_surveyed(results.get(cell.label), survey) for cell in cells]))
    return {"title": survey.title, "environments": survey.environments, "rows": table}


def _surveyed(result: Result | None, survey: Survey) -> str:
    if result is None:
        return "· not run"
    found = claims.measurements(result)
    shown = [f"{name} = {_number(found[name])}" for name in survey.measured if name in found]
    return f"{VERDICT_GLYPHS[result.verdict]} {result.verdict}{'<br>' if shown else ''}{escape(', '.join(shown))}"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _ablation(failure: Failure, environment: str, lookup: Lookup) -> AblationTable | None:
    """The ablation as far as it is stored; None where the default row was not run."""
    factors = factors_of(failure)
    found: list[tuple[dict[str, str], Result]] = []
    for row, cell in zip(rows(factors), ablation_cells(failure, environment), strict=True):
        result = lookup.result(cell)
        if result is not None:
            found.append((row, result))
    if len(found) < 2:  # noqa: PLR2004 - one row is no comparison
        return None
    reading = analyse(factors, [(row, result.verdict) for row, result in found])
    shown = tuple((row, row_of(result, failure.distributions)) for row, result in found)
    return AblationTable(environment, tuple(factor.name for factor in factors), shown, reading)
