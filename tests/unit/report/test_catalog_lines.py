"""What list and show print: the same from the cache as from the records."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.catalog import catalog, known_texts
from repro.catalog.project import Project
from repro.model.errors import RecordError, UsageError
from repro.report.catalog_lines import lines_of, listed_of
from tests.unit.factories import FAILURE, project, write_failure


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_texts, "SETTLED_SECONDS", float("-inf"))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The catalogues that are loaded."""
    found: list[Path] = []
    real = catalog.load

    def load(root: Path, cache: Path | None = None) -> catalog.Catalog:
        found.append(root)
        return real(root, cache)

    monkeypatch.setattr(catalog, "load", load)
    return found


@pytest.mark.usefixtures("settled")
def test_own_catalogue(tmp_path: Path, loads: list[Path]) -> None:
    """Every failure of ours; the second time no record is loaded."""
    own = replace(Project.here(), cache=tmp_path)
    first = listed_of(own)
    shown = {row[0]: lines_of(own, row[0]) for row in first.rows}
    assert len(loads) == 1
    again = replace(own)
    assert listed_of(again) == first
    assert {name: lines_of(again, name) for name in shown} == shown
    assert len(loads) == 1
    assert [row[0] for row in first.rows] == list(own.catalog.entries)
    assert all(lines[0] == f"{name}: {own.catalog[name].failure.title}" for name, lines in shown.items())


@pytest.mark.usefixtures("settled")
def test_other_names(tmp_path: Path) -> None:
    """An upstream name, a draft, an id that does not exist, and a record that is not valid."""
    held = project(tmp_path)
    write_failure(held.failures, id="draft-1", title="ANSWER")
    write_failure(held.failures, id="broken-1", kind="boom")
    for _ in range(2):
        again = replace(held)
        reference = again.catalog[FAILURE].failure.upstream.issues[0].rpartition("/")[2].replace("#", "-")
        assert lines_of(again, reference) == lines_of(again, FAILURE)
        assert lines_of(again, "draft-1")[0] == "draft-1: ANSWER"
        assert [line.split(":")[0] for line in listed_of(again).skipped] == ["skipped broken-1", "skipped draft-1"]
        with pytest.raises(RecordError, match="kind: unknown value 'boom'"):
            lines_of(again, "broken-1")
        with pytest.raises(UsageError, match="did you mean 'draft-1'"):
            lines_of(again, "drafd-1")
