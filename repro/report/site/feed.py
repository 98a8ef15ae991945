"""Relapses and cures as an Atom feed (RFC 4287).  Pure: the same history gives the same bytes."""

import uuid
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from repro.model.clean import clean
from repro.report.format import format_where
from repro.report.rows import Row
from repro.report.site.anchors import anchor, page_name
from repro.store.answers import Turned
from repro.verdict.history import News, Turn

NAMESPACE = uuid.UUID("6f0d7f0e-6a0c-5b0b-9a53-2f6f7c1f0a11")
"""The namespace of the feed's ids: an entry's id is computed from an observation's id and never changes."""
ATOM = "http://www.w3.org/2005/Atom"
NEVER = "1970-01-01T00:00:00+00:00"
"""The date of an empty feed; Atom requires one."""


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = clean(text) or None
    return element


def describe_news(kind: News, turn: Turn) -> tuple[str, str]:
    """Title and text of one entry."""
    where = format_where(Row(cell=turn.cell))
    result = turn.after.result
    before = f"{turn.before.result.verdict} on {turn.before.date[:10]}" if turn.before else "never judged"
    lines = [
        f"{turn.cell.failure} on {where}: {result.verdict}, before: {before}.",
        f"The record expects: {result.expectation}.",
        f"Evidence: {result.judgement.evidence or result.judgement.reason}",
        f"Changed versions: {', '.join(turn.moved) or 'none recorded'}.",
    ]
    return f"{kind}: {turn.cell.failure} on {where}", "\n".join(lines)


def feed(items: Iterable[tuple[News, Turn]], newest: str | None, turned: Sequence[Turned] = ()) -> str:
    """The whole feed, the newest entry first; ``newest`` is the date of the newest stored run.

    ``turned`` are the changes by new releases: each has its own entry, before the entries of single cells.
    """
    root = ET.Element("feed", {"xmlns": ATOM})
    _add(root, "id", uuid.uuid5(NAMESPACE, "feed").urn)
    _add(root, "title", "repro: relapses and cures")
    _add(root, "updated", newest or NEVER)
    _add(_add(root, "author"), "name", "repro")
    _add(root, "link", rel="self", href="feed.xml", type="application/atom+xml")
    _add(root, "link", rel="alternate", href="index.html", type="text/html")
    for answer in sorted(turned, key=lambda answer: (answer.date, answer.failure), reverse=True):
        entry = _add(root, "entry")
        _add(entry, "id", uuid.uuid5(NAMESPACE, f"release {answer.failure} {answer.package} {answer.release}").urn)
        _add(entry, "title", answer.sentence)
        _add(entry, "updated", answer.date)
        _add(entry, "link", rel="alternate", href=f"{page_name(answer.failure)}#releases", type="text/html")
        _add(entry, "category", term=str(News.CURE if answer.is_cure else News.RELAPSE))
        lines = [f"{fact.environment}: {fact.text}" for fact in answer.all_tried]
        _add(entry, "content", "\n".join([answer.sentence, *lines]), type="text")
    for kind, turn in sorted(items, key=lambda item: (item[1].after.date, item[1].cell.label), reverse=True):
        title, text = describe_news(kind, turn)
        entry = _add(root, "entry")
        _add(entry, "id", uuid.uuid5(NAMESPACE, f"{kind} {turn.after.result.newest.id}").urn)
        _add(entry, "title", title)
        _add(entry, "updated", turn.after.date)
        _add(
            entry, "link", rel="alternate", href=f"{page_name(turn.cell.failure)}#{anchor(turn.cell)}", type="text/html"
        )
        _add(entry, "category", term=kind)
        _add(entry, "content", text, type="text")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"
