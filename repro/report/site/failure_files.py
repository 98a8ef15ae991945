"""The files of the site about one failure: its page, and the raw output of its runs."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from repro.catalog.catalog import Entry
from repro.model.failure import Failure
from repro.model.verdict import Status
from repro.report.commands import by_hand, questions, repeat
from repro.report.format import format_evidence, format_where
from repro.report.ranks import RankTrace, traces
from repro.report.rows import Row, row_of
from repro.report.site.anchors import page_name
from repro.report.site.overview import HeatRow, State, Tile, missing
from repro.report.site.raw_output import log_name, log_text
from repro.report.site.render import render
from repro.report.view import FailureView, format_measured
from repro.store.answers import Swept
from repro.verdict import claims
from repro.verdict.history import History, turns
from repro.verdict.result import Result

LARGE_LOGS = 3
"""The runs of a failure whose output the site of a large catalogue has."""


@dataclass(frozen=True)
class SiteForm:
    """The form of the site."""

    large: bool
    """True for a large catalogue."""
    printed: Callable[[Result], Result]
    """A result with what its ranks printed."""


def failure_files(
    view: FailureView, row: HeatRow, known: Mapping[str, History], entry: Entry, form: SiteForm
) -> Iterator[tuple[str, str]]:
    """The page of a failure and its logs, by their names below ``reports/``.

    The page of a large catalogue has one line for what many cells share, and the raw output of runs that are not as
    documented; the rest is in the store, as the page says.
    """
    found = evidence(view, row)
    logged = _unexpected(found) if form.large else found
    values = _values(view, row, known, entry) | {
        "logs": {label: log_name(result.newest) for label, result in logged.items()},
        "traced": [(result, traced) for result in found.values() if (traced := traces(result))],
        # The page of a large catalogue groups them.
        "alike": _alike,
        "groups": _groups,
        "patterns": lambda tiles: _patterns(tiles, entry.catalog_option),
    }
    template = "large_failure.html.j2" if form.large else "failure.html.j2"
    yield page_name(view.failure.id), render(template, values, large=form.large)
    for result in logged.values():
        yield log_name(result.newest), log_text(form.printed(result).newest)


def evidence(view: FailureView, row: HeatRow) -> dict[str, Result]:
    """The results with a row of evidence, by cell label: those of cells without a changed factor."""
    found = {tile.cell.label: tile.result for tile in row.tiles if tile.result}
    return found | {label: result for label, result in view.results.items() if result.cell.is_default}


def _unexpected(found: Mapping[str, Result]) -> dict[str, Result]:
    """The newest results that are not as documented."""
    odd = [(label, result) for label, result in found.items() if result.status is not Status.AS_DOCUMENTED]
    odd.sort(key=lambda item: (item[1].newest.started, item[0]), reverse=True)
    return dict(islice(odd, LARGE_LOGS))


def _values(view: FailureView, row: HeatRow, known: Mapping[str, History], entry: Entry) -> dict[str, object]:
    """The values of the template."""
    failure = row.failure
    tiles = [tile for tile in row.tiles if tile.run or tile.asked]
    told = [
        (known[tile.cell.label], turns(known[tile.cell.label], failure.distributions))
        for tile in tiles
        if tile.cell.label in known
    ]
    return {
        "view": view,
        "failure": failure,
        "pairs": row.pairs,
        "tiles": tiles,
        "cuda_missing": missing(
            pair.cuda for pair in row.pairs if pair.cuda and pair.cuda.state is not State.INAPPLICABLE
        ),
        "has_cuda": any(pair.cuda and pair.cuda.run for pair in row.pairs),
        "backports": {backport.name: backport for backport in failure.backports},
        "backport_files": {item.name: f"{entry.shown_folder}/{item.file}" for item in failure.backports},
        "sweeps": [answer for answer in view.answers if isinstance(answer, Swept)],
        "histories": told,
        "known": known,
        "commands": [(format_where(tile.row), repeat(tile.cell, entry.catalog_option)) for tile in tiles],
        "by_hand": by_hand(entry),
        "questions": questions(entry, ablated=view.ablation.environment if view.ablation else None),
        "observed": lambda item: _observed(failure, item),
    }


def _observed(failure: Failure, item: claims.CheckedEvidence) -> tuple[str | None, str]:
    """The verdict of a claim's cell, with the claim's measurement or the deciding line."""
    if item.result is None:
        return None, "not run"
    return item.result.verdict, format_measured(item) or format_evidence(row_of(item.result, failure.concerns))


def _groups(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Neighbouring cells with the same result and the same evidence."""

    def shown(tile: Tile) -> tuple[object, ...]:
        row = tile.row
        if not isinstance(row, Row):
            return (tile.state, tile.why)
        text = format_evidence(row) if tile.run else tile.why
        return (tile.state, row.verdict, row.status, row.k, row.n, text)

    return [list(held) for _, held in groupby(tiles, key=shown)]


def _patterns(tiles: Sequence[Tile], option: Sequence[str]) -> list[str]:
    """The commands that repeat cells: one for all those that differ by their environment only."""
    by_pattern: dict[str, list[str]] = {}
    for tile in tiles:
        text = repeat(tile.cell, option)
        pattern = text.replace(f"--env {shlex.quote(tile.cell.environment.label)} ", "--env ENVIRONMENT ")
        by_pattern.setdefault(pattern, []).append(text)
    return [pattern if len(texts) > 1 else texts[0] for pattern, texts in by_pattern.items()]


Traced = tuple[Result, tuple[RankTrace, ...]]


def _alike(traced: Sequence[Traced]) -> list[tuple[Result, tuple[RankTrace, ...], list[Result]]]:
    """The results with the same traces: the first, its traces, and the others."""
    groups: dict[tuple[object, ...], tuple[Result, tuple[RankTrace, ...], list[Result]]] = {}
    for result, found in traced:
        key = (result.verdict, result.judgement.reason, result.newest.fault, repr(found))
        if key in groups:
            groups[key][2].append(result)
        else:
            groups[key] = (result, found, [])
    return list(groups.values())
