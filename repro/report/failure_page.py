"""``<id>.md``: the page of a failure.  Words come from the record, numbers from stored observations."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from repro.model.failure import Failure
from repro.report.fragments import Code, Strong
from repro.report.matrix_page import code, escape, span
from repro.report.rows import Row, row_of
from repro.report.view import FailureView, Surveyed, measured_words, predicted_words
from repro.report.words import (
    VERDICT_GLYPHS,
    count_words,
    evidence_words,
    reference_address,
    releases_words,
    signature_words,
    verdict_words,
    versions_words,
    where_words,
)
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
        backport_files={item.name: f"repro/failures/{failure.id}/{item.file}" for item in failure.backports},
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
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - slow, and not for every command

    environment = Environment(
        loader=PackageLoader("repro.report"),
        undefined=StrictUndefined,
        trim_blocks=False,
        autoescape=False,  # noqa: S701 - Markdown, escaped by filters
        keep_trailing_newline=True,
    )
    environment.filters.update({**FILTERS, **_FILTERS})
    return environment.get_template("failure.md.j2")


def markdown_fragment(text: str) -> str:
    """A fragment in Markdown."""
    if isinstance(text, Code):
        return code(text)
    return f"**{escape(text)}**" if isinstance(text, Strong) else _plain(text)


def _plain(text: str) -> str:
    # A sentence's pieces keep the spaces at their ends, which escaping takes for the table's sake.
    before, after = " " if text[:1].isspace() else "", " " if text[-1:].isspace() else ""
    return f"{before}{escape(text)}{after}" if text.strip() else text


def _observed(failure: Failure, item: claims.CheckedEvidence) -> str:
    if item.result is None:
        return "not run"
    row = row_of(item.result, failure.distributions)
    return f"{verdict_words(row)} {code(measured_words(item) or evidence_words(row))}"


def _surveyed(place: Surveyed) -> str:
    if place.verdict is None:
        return "· not run"
    return f"{VERDICT_GLYPHS[place.verdict]} {place.verdict}{'<br>' if place.measured else ''}{escape(place.measured)}"


FILTERS: Mapping[str, Callable[..., str]] = {
    "md": escape,
    "fragment": markdown_fragment,
    "fragments": lambda pieces: "".join(markdown_fragment(piece) for piece in pieces),
    "where": where_words,
    "verdict": verdict_words,
    "count": count_words,
    "versions": versions_words,
    "evidence": lambda row: code(evidence_words(row)) if row.verdict else escape(evidence_words(row)),
    "glyph": lambda verdict: f"{VERDICT_GLYPHS[verdict]} {verdict}",
}
"""What every Markdown template needs."""
_FILTERS: Mapping[str, Callable[..., str]] = {
    "releases": releases_words,
    "reference": reference_address,
    "signature": signature_words,
    "cell": lambda item: where_words(Row(cell=item.cell)),
    "predicted": predicted_words,
    "surveyed": _surveyed,
}
