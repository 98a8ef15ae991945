"""What a static diagnosis reads: the same answers as from the records, and no record of a catalogue that is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.catalog import catalog, known_texts
from repro.catalog.project import Project
from repro.doctor.diagnosis import Diagnosis, diagnose
from repro.doctor.known_outlines import outlines_of, releases_of
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.doctor.tried import newest_tried
from tests.unit.factories import FAILURE, MATRIX, project, write_failure

STACKS = (
    Stack(),
    Stack.of({"torch": "2.2.2", "lightning": "2.2.1"}, "3.11.7"),
    Stack.of({"torch": "2.13.0+cpu", "transformers": "5.3.0", "accelerate": "1.13.0", "numpy": "1.26.4"}, "3.12.1"),
    Stack.of({"torch": "2.9.0a0+nv", "pytorch-lightning": "2.5.0", "numpy": "2.2.0", "peft": "0.18.0"}),
    Stack({"torch": KnownVersion(specifiers=">=2.2", why="is not pinned")}, closed=False),
    Stack({"transformers": KnownVersion(specifiers="<5", why="is not pinned")}, closed=False),
)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_texts, "SETTLED_SECONDS", float("-inf"))


def said(item: Diagnosis) -> tuple[Any, ...]:
    """All that doctor prints of a failure."""
    failure = item.failure
    words = (failure.id, failure.title, failure.kind, failure.summary, *failure.links, *failure.distributions)
    return (*words, item.finding, item.why, item.cures, item.runs, item.notes, item.newest)


@pytest.mark.parametrize("stack", STACKS)
def test_own_catalogue(tmp_path: Path, stack: Stack) -> None:
    """Each of our failures on stacks of every kind."""
    own = replace(Project.here(), cache=tmp_path)
    records = diagnose([entry.failure for entry in own.catalog], stack, tried=newest_tried(own.matrix))
    for _ in range(2):
        known = diagnose(outlines_of(own).outlines, stack, tried=releases_of(own).tried)
        assert [said(item) for item in known] == [said(item) for item in records]


def test_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time no record is loaded; what the matrix denies is read again once it changes."""
    entry = {"distribution": "torch", "version": "2.2.9", "reason": "It steals passwords.", "date": "2026-01-01"}
    held = project(tmp_path, content=MATRIX | {"deny": [entry]})
    write_failure(held.failures, id="draft-1", title="ANSWER")
    first = outlines_of(held)
    assert [outline.id for outline in first.outlines] == [FAILURE]
    assert [line.split(":")[0] for line in first.skipped] == ["skipped draft-1"]
    assert not first.broken
    denied = releases_of(held).denied
    assert denied == (("torch", "2.2.9", "It steals passwords."),)
    monkeypatch.setattr(catalog, "load", lambda *_: pytest.fail("a record is loaded"))
    assert outlines_of(replace(held)) == first
    assert releases_of(replace(held)).denied == denied
    held.matrix_file.write_text(held.matrix_file.read_text().replace("passwords", "keys"))
    assert releases_of(replace(held)).denied == (("torch", "2.2.9", "It steals keys."),)


def test_broken(tmp_path: Path) -> None:
    """A record that is not valid is no outline, and makes the answer unknown."""
    held = project(tmp_path)
    write_failure(held.failures, id="broken-1", kind="boom")
    assert outlines_of(held).broken
    assert outlines_of(replace(held)).broken
