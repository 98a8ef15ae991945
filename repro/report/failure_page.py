"""``<id>.md``: the page of a failure.  The text comes from the record, the numbers from stored observations."""

import shlex
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from repro.files import templates_of
from repro.model.failure import Failure
from repro.report.commands import by_hand
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
    reference_address,
)
from repro.report.fragments import Code, Strong
from repro.report.matrix_page import code, escape, span
from repro.report.rows import Row, row_of
from repro.report.view import FailureView, Surveyed, format_measured, format_predicted
from repro.verdict import claims

if TYPE_CHECKING:
    from jinja2 import Template


def failure_markdown(view: FailureView) -> str:
    """The whole page of a failure."""
    failure = view.failure
    dates = sorted(row.date for row in view.rows if row.verdict)
    return _template().render(
        failure=failure,
        backports={backport.name: backport for backport in failure.backports},
        backport_files={item.name: f"{view.entry.shown_folder}/{item.file}" for item in failure.backports},
        by_hand=by_hand(view.entry).splitlines(),
        elsewhere="".join(f" {word}" for word in map(shlex.quote, view.entry.catalog_option)),
        rows=view.rows,
        run=len(dates),
        span=span(dates[0], dates[-1]) if dates else "",
        root=view.root,
        surveys=view.surveys,
        ablation=view.ablation,
        claims=view.claims,
        searches=view.searches,
        standing=view.upstream,
        observed=lambda item: _observed(failure, item),
    )


@cache
def _template() -> "Template":
    return templates_of("repro.report", {**FILTERS, **_FILTERS}, trim=False).get_template("failure.md.j2")


def markdown_fragment(text: str) -> str:
    """A fragment in Markdown."""
    if isinstance(text, Code):
        return code(text)
    return f"**{escape(text)}**" if isinstance(text, Strong) else _plain(text)


def _plain(text: str) -> str:
    # `escape` strips its text; the fragments of a sentence must keep the spaces at their ends.
    before, after = " " if text[:1].isspace() else "", " " if text[-1:].isspace() else ""
    return f"{before}{escape(text)}{after}" if text.strip() else text


def _observed(failure: Failure, item: claims.CheckedEvidence) -> str:
    if item.result is None:
        return "not run"
    row = row_of(item.result, failure.concerns)
    return f"{format_verdict(row)} {code(format_measured(item) or format_evidence(row))}"


def _surveyed(place: Surveyed) -> str:
    if place.verdict is None:
        return "· not run"
    return f"{VERDICT_GLYPHS[place.verdict]} {place.verdict}{'<br>' if place.measured else ''}{escape(place.measured)}"


FILTERS: Mapping[str, Callable[..., str]] = {
    "md": escape,
    "fragment": markdown_fragment,
    "fragments": lambda pieces: "".join(markdown_fragment(piece) for piece in pieces),
    "where": format_where,
    "verdict": format_verdict,
    "count": format_count,
    "versions": format_versions,
    "evidence": lambda row: code(format_evidence(row)) if row.verdict else escape(format_evidence(row)),
    "glyph": lambda verdict: f"{VERDICT_GLYPHS[verdict]} {verdict}",
}
"""The filters of every Markdown template."""
_FILTERS: Mapping[str, Callable[..., str]] = {
    "releases": format_releases,
    "reference": reference_address,
    "signature": format_signature,
    "condition": format_condition,
    "cell": lambda item: format_where(Row(cell=item.cell)),
    "predicted": format_predicted,
    "surveyed": _surveyed,
}
