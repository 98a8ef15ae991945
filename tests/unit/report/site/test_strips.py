"""Releases and failures: what a column says holds for every release up to the next one."""

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from repro.catalog.project import Project
from repro.model.verdict import Verdict
from repro.report.site.strips import Column, LibraryStrip, Word, seen_of, strips, word_of
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


@pytest.mark.parametrize(
    ("specifier", "labels"),
    [
        (">=2.1", ["older", "2.1"]),
        ("<2.1.0", ["older", "2.1.0"]),
        ("<=2.1.0", ["older", "after 2.1.0"]),
        (">2.1.0", ["older", "after 2.1.0"]),
        ("==2.1.0", ["older", "2.1.0", "after 2.1.0"]),
        ("!=2.1.0", ["older", "2.1.0", "after 2.1.0"]),
        ("===2.1.0", ["older", "2.1.0", "after 2.1.0"]),
        ("==2.1.*", ["older", "2.1", "2.2"]),
        ("!=2.1.*", ["older", "2.1", "2.2"]),
        ("~=2.1.3", ["older", "2.1.3", "2.2"]),
        ("~=2.1", ["older", "2.1", "3"]),
        (">=2.1,<2.3", ["older", "2.1", "2.3"]),
        ("===odd,>=2.2", ["older"]),
    ],
)
def test_columns_of_a_specifier(specifier: str, labels: list[str]) -> None:
    """Exactly where the word changes; what is no release has no column, and takes none from the clauses after it."""
    (strip,) = strips([failure(affected=[{"torch": specifier}])], {}, {})
    assert [column.label for column in strip.columns] == labels
    assert strip.columns[0] == Column("older", Version("0"), pinned=False)


def test_a_clause_that_is_no_release() -> None:
    """It is skipped, and those after it are read."""
    record = failure(affected=[{"torch": "===odd"}, {"torch": ">=2.2"}])
    assert [column.label for column in strips([record], {}, {})[0].columns] == ["older", "2.2"]


def test_pinned_columns() -> None:
    """A release that is run has a column although it says what the one before says; under its own spelling."""
    pins = {"a": {"torch": "2.2.0"}, "b": {"torch": "2.5.1+cpu", "lightning": "9.9"}, "c": {"lightning": "2.3.0"}}
    (strip,) = strips([failure(affected=[{"torch": ">=2.2"}])], pins, {})
    assert [(column.label, column.pinned) for column in strip.columns] == [
        ("older", False),
        ("2.2.0", True),
        ("2.5.1+cpu", True),
    ]


def test_libraries_in_order() -> None:
    """The one with most failures first, then by name; a failure that two decide stands under both."""
    both = failure(id="torch-1", affected=[{"torch": ">=2.2", "lightning": "<2.4"}])
    alone = failure(id="torch-2", affected=[{"torch": ">=2.3"}])
    third = failure(id="torch-3", affected=[{"accelerate": ">=1"}])
    found = strips([third, both, alone], {}, {})
    assert [(strip.name, [row.failure.id for row in strip.rows]) for strip in found] == [
        ("torch", ["torch-1", "torch-2"]),
        ("accelerate", ["torch-3"]),
        ("lightning", ["torch-1"]),
    ]


def test_listed_by_column() -> None:
    """A failure counts where it is listed, alone or with others; not where it is refused, untried or clear."""
    records = [
        failure(id="torch-1", affected=[{"torch": ">=2.2"}]),
        failure(id="torch-2", affected=[{"torch": ">=2.3", "lightning": "<2"}]),
        failure(
            id="torch-3",
            affected=[{"torch": "==2.4.0"}],
            rejected=[{"releases": {"torch": ">2.4.0"}, "signature": SIGNATURE}],
        ),
    ]
    strip = next(strip for strip in strips(records, {}, {}) if strip.name == "torch")
    counted = {column.label: strip.listed(at) for at, column in enumerate(strip.columns)}
    assert counted == {"older": 0, "2.2": 1, "2.3": 2, "2.4.0": 3, "after 2.4.0": 2}
    assert [row.cells[-1].word for row in strip.rows] == [Word.LISTED, Word.WITH_OTHERS, Word.REFUSED]


def test_others_are_named() -> None:
    """All that it depends on: several others, several alternatives, and what this library has no part in."""
    record = failure(
        affected=[{"torch": ">=2", "lightning": "<2.4", "accelerate": ">=1"}, {"torch": ">=3", "lightning": "<3"}]
    )
    assert word_of(record, "torch", "3.1") == (Word.WITH_OTHERS, "lightning <2.4, accelerate >=1 or lightning <3")
    assert word_of(record, "torch", "2.1") == (Word.WITH_OTHERS, "lightning <2.4, accelerate >=1")
    assert word_of(record, "torch", "1.9") == (Word.CLEAR, "")
    elsewhere = failure(affected=[{"torch": ">=2"}, {"lightning": "<3", "accelerate": ">=1"}, {"transformers": "<5"}])
    assert word_of(elsewhere, "torch", "1.9") == (
        Word.WITH_OTHERS,
        "lightning <3, accelerate >=1 or transformers <5",
    )


def test_refused_by_other_releases() -> None:
    """A refusal of two libraries together is none of one of them."""
    together = {"releases": {"torch": "<2", "lightning": "<2"}, "signature": SIGNATURE}
    record = failure(affected=[{"torch": ">=2"}], rejected=[together])
    assert word_of(record, "torch", "1.9") == (Word.CLEAR, "")
    alone = {"releases": {"torch": "<1.5"}, "signature": SIGNATURE}
    record = failure(affected=[{"torch": ">=2"}], rejected=[alone])
    assert [word_of(record, "torch", text)[0] for text in ("1.4", "1.9")] == [Word.REFUSED, Word.CLEAR]


def test_untried_of_another_library() -> None:
    record = failure(affected=[{"torch": ">=2", "lightning": ">=2"}], open_below={"lightning": "2"})
    assert [word_of(record, name, "1.9")[0] for name in ("torch", "lightning")] == [Word.CLEAR, Word.UNTRIED]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({Verdict.REJECTED}, Verdict.REJECTED),
        ({Verdict.DIFFERENT}, None),
        ({Verdict.REPRODUCED, Verdict.DIFFERENT}, None),
        ({Verdict.REPRODUCED, Verdict.ABSENT}, None),
        (set(), None),
    ],
)
def test_only_what_decides_is_shown(shown: set[Verdict], expected: Verdict | None) -> None:
    """A crash of another kind is no sign, and leaves none to a run beside it."""
    record = failure(affected=[{"torch": ">=2"}])
    pins = {"held": {"torch": "2.0"}, "without": {"lightning": "2.0"}}
    seen = {(record.id, "held"): frozenset(shown), (record.id, "without"): frozenset({Verdict.ABSENT})}
    assert [cell.verdict for cell in strips([record], pins, seen)[0].rows[0].cells] == [None, expected]


def tile(verdict: Verdict | None, backport: str | None = None, roles: dict[str, str] | None = None) -> Any:
    return SimpleNamespace(
        row=SimpleNamespace(verdict=verdict), cell=SimpleNamespace(backport=backport, roles=roles or {})
    )


def test_seen() -> None:
    """Runs of both lanes without a backport, by environment; a pair is not the run of one environment."""
    held = SimpleNamespace(
        failure=failure(id="torch-1"),
        places={
            "old": (
                SimpleNamespace(cpu=tile(Verdict.REPRODUCED), cuda=tile(Verdict.ABSENT)),
                SimpleNamespace(cpu=tile(Verdict.REJECTED, "cure"), cuda=None),
                SimpleNamespace(cpu=tile(Verdict.DIFFERENT, roles={"writer": "older"}), cuda=None),
            ),
            "new": (SimpleNamespace(cpu=None, cuda=tile(Verdict.DIFFERENT)),),
            "none": (SimpleNamespace(cpu=tile(None), cuda=None),),
        },
    )
    rows: list[Any] = [held]
    assert seen_of(rows) == {
        ("torch-1", "old"): frozenset({Verdict.REPRODUCED, Verdict.ABSENT}),
        ("torch-1", "new"): frozenset({Verdict.DIFFERENT}),
    }
