"""Releases and failures: what a column says holds for every release up to the next one."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.version import Version

from repro.catalog.project import Project
from repro.model.verdict import Verdict
from repro.report.site.strips import LibraryStrip, Word, strips, word_of
from tests.unit.factories import failure

SIGNATURE = {
    "kind": "exception",
    "type": "ValueError",
    "message": "x",
    "function": "f",
    "library": "torch",
    "ranks": "all",
}
RELEASES = json.loads((Path(__file__).parents[3] / "data" / "releases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def own() -> tuple[LibraryStrip, ...]:
    project = Project.here()
    pins = {name: environment.pins for name, environment in project.matrix.environments.items()}
    return strips([entry.failure for entry in project.catalog], pins, {})


@pytest.mark.parametrize("library", ["torch", "lightning", "transformers", "accelerate"])
def test_every_release_has_its_column(own: tuple[LibraryStrip, ...], library: str) -> None:
    """Of every release on PyPI: the newest column that is not newer says what the record says."""
    strip = next(strip for strip in own if strip.name == library)
    for release in [text for text in RELEASES[library] if not Version(text).is_prerelease]:
        at = max(index for index, column in enumerate(strip.columns) if column.version <= Version(release))
        for held in strip.rows:
            assert held.cells[at].word == word_of(held.failure, library, release)[0], (held.failure.id, release)


def test_columns_differ(own: tuple[LibraryStrip, ...]) -> None:
    """A column that says what the one before it says is there only for a release that is run."""
    for strip in own:
        columns = [tuple(held.cells[at].word for held in strip.rows) for at in range(len(strip.columns))]
        for (before, after), column in zip(pairwise(columns), strip.columns[1:], strict=True):
            assert before != after or column.pinned
        assert list(strip.columns) == sorted(strip.columns, key=lambda column: column.version)


@pytest.mark.parametrize(
    ("version", "word", "others"),
    [
        ("2.1.0", Word.CLEAR, ""),
        ("2.3.0", Word.WITH_OTHERS, "torch <2.5"),
        ("2.4.0", Word.LISTED, ""),
        ("2.4.1", Word.REFUSED, ""),
        ("1.9", Word.UNTRIED, ""),
    ],
)
def test_words(version: str, word: Word, others: str) -> None:
    record = failure(
        affected=[{"lightning": ">=2.2,<2.4", "torch": "<2.5"}, {"lightning": "==2.4.0"}],
        rejected=[{"releases": {"lightning": ">2.4.0"}, "signature": SIGNATURE}],
        open_below={"lightning": "2.0"},
    )
    assert word_of(record, "lightning", version) == (word, others)


def test_verdicts() -> None:
    """A sign only where all runs on that very release agree."""
    pins = {"one": {"lightning": "2.2.1"}, "two": {"lightning": "2.2.1"}, "new": {"lightning": "2.4.0"}}
    record = failure(affected=[{"lightning": "<2.4"}])
    absent, reproduced = frozenset({Verdict.ABSENT}), frozenset({Verdict.REPRODUCED})
    seen = {(record.id, "one"): reproduced, (record.id, "two"): reproduced, (record.id, "new"): absent}
    cells = strips([record], pins, seen)[0].rows[0].cells
    assert [cell.verdict for cell in cells] == [None, Verdict.REPRODUCED, Verdict.ABSENT]
    cells = strips([record], pins, seen | {(record.id, "two"): absent})[0].rows[0].cells
    assert [cell.verdict for cell in cells] == [None, None, Verdict.ABSENT]
