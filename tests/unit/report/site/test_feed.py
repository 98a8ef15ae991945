"""The Atom feed."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from repro.catalog.catalog import Catalog, Entry
from repro.report.site.feed import feed
from repro.verdict.history import News, Turn, histories, news
from tests.unit.factories import FAILURE, cell, failed, failure, imported, installed, observation, rank
from tests.unit.report.site.sites import HOSTILE

ATOM = "{http://www.w3.org/2005/Atom}"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own words


@pytest.fixture
def items(tmp_path: Path) -> list[tuple[News, Turn]]:
    """A cure, then a relapse."""
    catalog = Catalog(tmp_path, {FAILURE: Entry(failure(), tmp_path)})

    def seen(day: int, *ranks: Any, **changes: Any) -> Any:
        facts = {"id": f"abcdef012345-{day}", "run": f"r{day}", "started": f"2026-01-0{day}T00:00:00+00:00"}
        return observation(*ranks, **facts | changes)

    held = {"lightning": "2.2.2", "torch": "2.2.2"}
    ranks = [failed(number, imported=imported(held)) for number in (0, 1)]
    observations = [
        seen(1, rank(0, oracle=HOSTILE), rank(1, oracle=HOSTILE)),
        seen(2, *ranks, installed=installed(held), cell=cell(environment="new")),
    ]
    return [item for history in histories(catalog, observations).values() for item in news(history, ["lightning"])]


def test_every_element_that_the_standard_demands(items: list[tuple[News, Turn]]) -> None:
    """RFC 4287: id, title, updated of the feed and of every entry, an author, a link; dates by RFC 3339."""
    root = parsed(feed(items, "2026-01-02T00:00:00+00:00"))
    entries = root.findall(f"{ATOM}entry")
    assert root.tag == f"{ATOM}feed"
    assert root.findtext(f"{ATOM}author/{ATOM}name")
    assert [entry.find(f"{ATOM}category").get("term") for entry in entries] == ["relapsed", "cured"]  # type: ignore[union-attr]
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
        assert str(element.findtext(f"{ATOM}id")).startswith("urn:uuid:")
        assert RFC3339.fullmatch(str(element.findtext(f"{ATOM}updated")))
        assert element.find(f"{ATOM}link").get("href")  # type: ignore[union-attr]
    assert entries[0].find(f"{ATOM}link").get("href") == f"{FAILURE}.html#cell-new"  # type: ignore[union-attr]


def test_ids_differ_and_never_change(items: list[tuple[News, Turn]]) -> None:
    """A later run adds an entry and leaves the ids of the older ones."""
    ids = [entry.findtext(f"{ATOM}id") for entry in parsed(feed(items, "2026-01-02T00:00:00+00:00"))]
    assert len(set(ids)) == len([name for name in ids if name]) + 1
    older = parsed(feed(items[:1], "2026-01-01T00:00:00+00:00"))
    assert older.findtext(f"{ATOM}entry/{ATOM}id") in ids


def test_words_of_upstream_are_text(items: list[tuple[News, Turn]]) -> None:
    """Tags stay text, and what XML cannot hold is shown as a box."""
    made = feed(items, "2026-01-02T00:00:00+00:00")
    assert "<script" not in made
    text = parsed(made).findall(f"{ATOM}entry")[1].findtext(f"{ATOM}content")
    assert text is not None
    assert "<script>alert(1)</script>" in text
    assert "\x1b" not in text
    assert "[31m" not in text


def test_an_empty_feed_is_valid() -> None:
    root = parsed(feed([], None))
    assert root.findtext(f"{ATOM}updated")
    assert root.findall(f"{ATOM}entry") == []
