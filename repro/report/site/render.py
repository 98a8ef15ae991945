"""Renders the templates of the site."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment
from markupsafe import Markup, escape

from repro.files import templates_of
from repro.report.answers import glyph
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
from repro.report.rows import Row
from repro.report.site.anchors import anchor, page_name
from repro.report.site.overview import State
from repro.report.site.prose import phrase, prose
from repro.report.view import format_predicted

SHOWN_FRAMES = 6
SHOWN_POINTS = 20
SHARED = ("site.css", "site.js")
"""The files that the pages of a large catalogue share; a page of a small one contains them."""


def render(template: str, values: Mapping[str, object], *, large: bool, more_script: str = "") -> str:
    """A page; ``large`` is whether the catalogue is large, ``more_script`` is run after ours."""
    shared = large and not more_script
    script = asset("site.js") + Markup(more_script)  # noqa: S704 - ours
    page = _environment().get_template(template)
    return page.render(
        policy=_policy(script, shared=shared),
        stylesheet=asset("site.css"),
        script=script,
        large=large,
        shared=shared,
        **values,
    )


@cache
def asset(name: str) -> Markup:
    """A file of ours that is part of the site."""
    return Markup((files("repro.report.site") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - ours


def _policy(script: str, *, shared: bool) -> str:
    """The content security policy of a page: only our own script runs, and nothing is fetched from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    script_source, style_source = f"'sha256-{digest}'", "'unsafe-inline'"
    if shared:
        script_source = style_source = "'self' file:"
    sources = f"style-src {style_source}; script-src {script_source}"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


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
