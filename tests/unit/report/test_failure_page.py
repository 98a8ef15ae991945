"""``<id>.md`` from the view of a failure."""

import re
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.model.verdict import Verdict
from repro.report.failure_page import failure_markdown, markdown_fragment
from repro.report.fragments import Code, Strong
from repro.report.rows import Lookup
from repro.report.view import failure_view
from repro.store.answers import Stored
from repro.store.observations import Store
from tests.unit.factories import FAILURE, cell, project, write_failure
from tests.unit.report.test_answers import blamed, swept


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        (" in ", " in "),
        (" ", " "),
        (Code("a|b"), "`a\\|b`"),
        (Code("<i>"), "`<i>`"),
        (Strong("a*"), "**a\\***"),
    ],
)
def test_fragment(text: str, expected: str) -> None:
    assert markdown_fragment(text) == expected


def test_tables_of_searches_are_whole(held: Project) -> None:
    """Every row of a search has its head's columns, whatever upstream said."""
    lookup = Lookup(held.catalog, held.environments, Store(held.reports / "data"))
    answers: list[Stored] = [swept(Verdict.REPRODUCED, failure=FAILURE), blamed(failure=FAILURE)]
    page = failure_markdown(failure_view(held.catalog[FAILURE], [cell()], lookup, None, answers))
    assert "## Releases of lib" in page
    assert "`KeyError: 'x\\|y'`" in page
    assert "by **a and b**. 2 run" in page
    part = page[page.index("## Releases of lib") : page.index("## Repeat it")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in part.splitlines() if line.startswith("|")]
    assert widths == [6, 6, 6, 4, 4, 4, 4, 4, 4]


def test_names_its_own_catalogue(held: Project, tmp_path: Path) -> None:
    """The page of a private failure sends nobody to our folder, and names no folder of this machine."""
    lookup = Lookup(held.catalog, held.environments, Store(held.reports / "data"))
    page = failure_markdown(failure_view(held.catalog[FAILURE], [cell()], lookup, None, []))
    name = held.failures.name
    assert f" {name}/{FAILURE}/repro.py " in page
    assert f"repro run {FAILURE} --catalog {name} " in page
    assert "repro/failures" not in page
    assert str(tmp_path) not in page


def test_lanes(tmp_path: Path) -> None:
    """The page tells in which lane the failure shows in another way, and why."""
    other = {"kind": "hang", "function": "all_gather", "ranks": 1}
    held = project(tmp_path, failures=False)
    differs = {"cuda": {"signature": other, "why": "a|b"}, "cpu": {"why": "No."}}
    write_failure(held.failures, differs_in=differs)
    lookup = Lookup(held.catalog, held.environments, Store(held.reports / "data"))
    page = failure_markdown(failure_view(held.catalog[FAILURE], [cell()], lookup, None, []))
    assert "| in lane cuda | hangs in all\\_gather, on rank 1 only. a\\|b |\n" in page
    assert "| in lane cpu | No. |\n" in page
