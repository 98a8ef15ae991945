"""The site: ``index.html``, ``releases.html``, a page for each failure, raw logs and a feed.

It is static: its script filters, adds ages and answers to pasted texts, but fetches nothing.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

from repro.catalog.catalog import Entry
from repro.environments.rot import Rots
from repro.files import templates_of, write_whole
from repro.model.failure import Failure
from repro.report.answers import glyph
from repro.report.commands import by_hand, questions, repeat
from repro.report.format import (
    VERDICT_GLYPHS,
    format_condition,
    format_count,
    format_evidence,
    format_releases,
    format_signature,
    format_verdict,
    format_versions,
    format_where,
)
from repro.report.fragments import Code, Strong
from repro.report.ranks import traces
from repro.report.rows import Row, gate_reasons, row_of
from repro.report.site.anchors import anchor, page_name
from repro.report.site.answer_box import AnswerBox
from repro.report.site.feed import feed
from repro.report.site.overview import HeatRow, Overview, State, missing
from repro.report.site.prose import phrase, prose
from repro.report.site.raw_output import log_name, log_text
from repro.report.site.strips import LibraryStrip, Word, seen_of, strips
from repro.report.upstream import LOOK_DAYS, UpstreamAgreement, has_old_look
from repro.report.view import format_measured, format_predicted
from repro.search.watch_plan import Watched
from repro.store.answers import Swept, Turned
from repro.verdict import claims
from repro.verdict.history import History, turns
from repro.verdict.result import Result

LOGS = "logs"
SHOWN_RUNS = 12
SHOWN_FRAMES = 6
SHOWN_POINTS = 20
_STRIP = {
    Word.LISTED: ("listed", "■"),
    Word.WITH_OTHERS: ("with", "◧"),
    Word.REFUSED: ("refused", "r"),
    Word.UNTRIED: ("untried", "?"),
    Word.CLEAR: ("clear", "·"),
}
"""Class and sign of a cell of the strips."""


def site_files(
    view: Overview,
    known: Mapping[str, History],
    releases: Mapping[str, Mapping[str, str]],
    entries: Mapping[str, Entry],
    *,
    rot: Rots | None = None,
    lanes: str = "",
    watched: Watched | None = None,
    floats: bool = False,
    box: AnswerBox | None = None,
) -> Iterator[tuple[str, str]]:
    """Every file of the site, by its name below ``reports/``.  Pure: the same store gives the same bytes.

    ``known`` are the histories by cell label, ``releases`` the pins of each environment, ``rot`` the last result of
    `repro rot`, ``lanes`` the comparison of the lanes as text, ``watched`` the runs that new releases need (expected if
    an environment ``floats``), and ``box`` answers to pasted texts.
    """
    yield "index.html", _index(view, releases, rot, lanes, watched=watched, floats=floats, box=box)
    if box:
        yield "answers.json", box.knowledge
    yield "releases.html", _render("releases.html.j2", strips=_strips(view, releases), words=_STRIP)
    yield "feed.xml", feed(view.news, view.newest, turned_of(view))
    for row in view.rows:
        yield page_name(row.failure.id), _failure(row, known, entries[row.failure.id])
        for result in evidence(row).values():
            yield log_name(result.newest), log_text(result.newest)


def write_site(reports: Path, content: Iterator[tuple[str, str]]) -> None:
    """Write the files of a site, and remove logs that no page links to; raises OSError."""
    written = set()
    for name, text in content:
        file = reports / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            write_whole(file, text)
        written.add(file)
    for old in (reports / LOGS).glob("*/*.txt"):
        if old not in written:
            old.unlink()


def evidence(row: HeatRow) -> dict[str, Result]:
    """The results with a row of evidence, by cell label: those of cells without a changed factor."""
    tiles = [tile for pair in row.pairs for tile in (pair.cpu, pair.cuda) if tile]
    found = {tile.cell.label: tile.result for tile in tiles if tile.result}
    return found | {label: result for label, result in row.view.results.items() if result.cell.is_default}


def _strips(view: Overview, releases: Mapping[str, Mapping[str, str]]) -> tuple[LibraryStrip, ...]:
    return strips([row.failure for row in view.rows], releases, seen_of(view.rows))


def turned_of(view: Overview) -> list[Turned]:
    """What new releases changed, the newest first."""
    found = [answer for row in view.rows for answer in row.view.answers if isinstance(answer, Turned) and answer.holds]
    return sorted(found, key=lambda answer: (answer.date, answer.failure), reverse=True)


def _old_looks(view: Overview) -> list[Failure]:
    """The failures whose upstream issues were not read lately, as of the newest run (a page has no date of its own)."""
    if view.newest is None:
        return []
    day = datetime.fromisoformat(view.newest).date()
    return [row.failure for row in view.rows if has_old_look(row.failure, day)]


def _index(
    view: Overview,
    releases: Mapping[str, Mapping[str, str]],
    rot: Rots | None,
    lanes: str,
    *,
    watched: Watched | None,
    floats: bool,
    box: AnswerBox | None,
) -> str:
    used = {name: releases.get(name, {}) for name in view.environments}
    comparisons = [row.view.upstream for row in view.rows]
    order = list(UpstreamAgreement)
    return _render(
        "index.html.j2",
        more_script=box.script if box else "",
        known=Markup(box.knowledge) if box else "",  # noqa: S704 - without a character of HTML
        view=view,
        rot=rot,
        lanes=lanes,
        runs=view.runs[:SHOWN_RUNS],
        hidden_runs=max(0, len(view.runs) - SHOWN_RUNS),
        oldest=min((row.date for item in view.rows for row in item.view.rows if row.verdict), default=None),
        releases={name: [f"{package} {version}" for package, version in pins.items()] for name, pins in used.items()},
        packages=sorted({name for row in view.rows for name in row.failure.distributions}),
        choices=sorted({f"{package} {version}" for pins in used.values() for package, version in pins.items()}),
        comparisons=sorted(comparisons, key=lambda found: order.index(found.reading)),
        present=[row for row in view.rows if row.view.upstream.present],
        attention=view.attention,
        watched=watched,
        floats=floats,
        turned=turned_of(view),
        old_looks=_old_looks(view),
        look_days=LOOK_DAYS,
        disagreeing=sum(found.reading is UpstreamAgreement.DISAGREES for found in comparisons),
        gates=gate_reasons([row for item in view.rows for row in item.view.rows]),
    )


def _failure(row: HeatRow, known: Mapping[str, History], entry: Entry) -> str:
    view, failure = row.view, row.failure
    found = evidence(row)
    tiles = [tile for pair in row.pairs for tile in (pair.cpu, pair.cuda) if tile and (tile.run or tile.asked)]
    return _render(
        "failure.html.j2",
        view=view,
        failure=failure,
        pairs=row.pairs,
        tiles=tiles,
        cuda_missing=missing(
            pair.cuda for pair in row.pairs if pair.cuda and pair.cuda.state is not State.INAPPLICABLE
        ),
        has_cuda=any(pair.cuda and pair.cuda.run for pair in row.pairs),
        backports={backport.name: backport for backport in failure.backports},
        backport_files={item.name: f"{entry.shown_folder}/{item.file}" for item in failure.backports},
        traced=[(result, traced) for result in found.values() if (traced := traces(result))],
        logs={label: log_name(result.newest) for label, result in found.items()},
        sweeps=[answer for answer in view.answers if isinstance(answer, Swept)],
        histories=[
            (known[tile.cell.label], turns(known[tile.cell.label], failure.distributions))
            for tile in tiles
            if tile.cell.label in known
        ],
        commands=[(format_where(tile.row), repeat(tile.cell, entry.catalog_option)) for tile in tiles],
        by_hand=by_hand(entry),
        questions=questions(entry, ablated=view.ablation.environment if view.ablation else None),
        observed=lambda item: _observed(failure, item),
    )


def _observed(failure: Failure, item: claims.CheckedEvidence) -> tuple[str | None, str]:
    """The verdict of a claim's cell, with the claim's measurement or the deciding line."""
    if item.result is None:
        return None, "not run"
    return item.result.verdict, format_measured(item) or format_evidence(row_of(item.result, failure.concerns))


def html_fragment(text: str) -> Markup:
    """A fragment in HTML."""
    if isinstance(text, Code):
        return Markup("<code>{}</code>").format(str(text))
    return Markup("<strong>{}</strong>").format(str(text)) if isinstance(text, Strong) else escape(text)


def html_reference(name: str) -> Markup:
    """A link for ``owner/repository#number`` or a web address; other text unchanged."""
    repository, _, number = name.partition("#")
    if number.isdecimal():
        return Markup('<a href="https://github.com/{}/issues/{}">{}</a>').format(repository, number, name)
    if name.startswith(("https://", "http://")):
        return Markup('<a href="{}">{}</a>').format(name, name)
    return escape(name)


def day(date: str) -> str:
    """``2026-11-22 06:31`` of an ISO date in UTC."""
    return date[:16].replace("T", " ")


@cache
def _asset(name: str) -> Markup:
    return Markup((files("repro.report.site") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - ours


def _policy(script: str) -> str:
    """The content security policy of a page: only our own script runs, and nothing is fetched."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    script_source = f"script-src 'sha256-{digest}'"
    return f"default-src 'none'; style-src 'unsafe-inline'; {script_source}; base-uri 'none'; form-action 'none'"


def _render(template: str, more_script: str = "", **values: object) -> str:
    script = _asset("site.js") + Markup(more_script)  # noqa: S704 - ours
    page = _environment().get_template(template)
    return page.render(policy=_policy(script), stylesheet=_asset("site.css"), script=script, **values)


@cache
def _environment() -> Environment:
    environment = templates_of("repro.report.site", _FILTERS, html=True)
    environment.globals.update(
        GLYPHS=VERDICT_GLYPHS,
        SHOWN_FRAMES=SHOWN_FRAMES,
        SHOWN_POINTS=SHOWN_POINTS,
        State=State,
        verdict_kinds=list(VERDICT_GLYPHS),
        page=page_name,
    )
    return environment


_FILTERS: Mapping[str, Callable[..., object]] = {
    "anchor": anchor,
    "cell": lambda cell: format_where(Row(cell=cell)),
    "count": format_count,
    "day": day,
    "evidence": format_evidence,
    "fact": glyph,
    "fragment": html_fragment,
    "fragments": lambda pieces: Markup("").join(html_fragment(piece) for piece in pieces),
    "phrase": phrase,
    "predicted": format_predicted,
    "prose": prose,
    "reference": html_reference,
    "releases": format_releases,
    "signature": format_signature,
    "condition": format_condition,
    "verdict": format_verdict,
    "versions": format_versions,
    "where": format_where,
}
