"""Records that are remembered: the same as those that are read, and never what is no longer so."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.catalog import known_records, yaml_reader
from repro.catalog.catalog import load
from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.model.errors import RecordError
from repro.model.failure import Failure
from tests.unit.factories import FAILURE, write_failure


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are parsed."""
    files: list[Path] = []
    real = yaml_reader.parse

    def parse(model: Any, text: str, file: Path) -> Any:
        files.append(file)
        return real(model, text, file)

    monkeypatch.setattr(yaml_reader, "parse", parse)
    return files


def remembered(cache: Path) -> Path:
    (file,) = (cache / "records").iterdir()
    return file


def test_own_catalogue(tmp_path: Path, parsed: list[Path]) -> None:
    """Every record of ours is remembered as it was read, field by field, and what was set in it."""
    first = load(PACKAGE / "failures", tmp_path)
    assert len(parsed) == len(first.ids) > 20
    second = load(PACKAGE / "failures", tmp_path)
    assert len(parsed) == len(first.ids)
    assert second == first
    for entry in first:
        assert second[entry.failure.id].failure.model_fields_set == entry.failure.model_fields_set


def test_changed_record(tmp_path: Path, parsed: list[Path]) -> None:
    """Another text is read anew, and the old one is forgotten."""
    cache = tmp_path / "cache"
    folder = write_failure(tmp_path / "failures")
    load(folder.parent, cache)
    record = folder / "failure.yaml"
    record.write_text(record.read_text().replace("A key is missing.", "A key is lost."))
    assert load(folder.parent, cache)[FAILURE].failure.summary == "A key is lost."
    assert len(parsed) == 2
    assert len(json.loads(remembered(cache).read_text())["records"]) == 1


def test_broken_record(tmp_path: Path, parsed: list[Path]) -> None:
    """A record that is not valid is read each time: its faults have lines."""
    cache = tmp_path / "cache"
    folder = write_failure(tmp_path / "failures", kind="boom")
    for _ in range(2):
        with pytest.raises(RecordError, match=r"failure.yaml:[0-9]+: kind: unknown value 'boom'"):
            load(folder.parent, cache)[FAILURE]
    assert len(parsed) == 2


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"records": []}',
        json.dumps({"rules": "other", "records": {}}),
    ],
    ids=["empty", "cut", "list", "deep", "no rules", "other rules"],
)
def test_damaged(tmp_path: Path, parsed: list[Path], damage: str) -> None:
    """A damaged file counts as empty and is written anew."""
    cache = tmp_path / "cache"
    folder = write_failure(tmp_path / "failures")
    expected = load(folder.parent, cache)
    file = remembered(cache)
    whole = file.read_text()
    file.write_text(damage)
    assert load(folder.parent, cache) == expected
    assert len(parsed) == 2
    assert file.read_text() == whole


def test_invalid_content(tmp_path: Path, parsed: list[Path]) -> None:
    """What is remembered is validated again: a record that the model refuses is read from its file."""
    cache = tmp_path / "cache"
    folder = write_failure(tmp_path / "failures")
    expected = load(folder.parent, cache)
    held = json.loads(remembered(cache).read_text())
    for record in held["records"].values():
        record["kind"] = "boom"
    remembered(cache).write_text(json.dumps(held))
    for _ in range(2):
        assert load(folder.parent, cache) == expected
        assert len(parsed) == 2


def test_only_what_is_used_is_validated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue may have a thousand records, of which a command uses one."""
    for number in range(3):
        folder = write_failure(tmp_path / "failures", id=f"lightning-{number}")
    load(folder.parent, tmp_path / "cache")
    validated: list[str] = []
    real = Failure.model_validate

    def validate(stated: Any) -> Failure:
        validated.append(stated["id"])
        return real(stated)

    monkeypatch.setattr(Failure, "model_validate", validate)
    held = load(folder.parent, tmp_path / "cache")
    assert set(held.entries) == {"lightning-0", "lightning-1", "lightning-2"}
    assert held["lightning-1"].failure is held["lightning-1"].failure
    assert validated == ["lightning-1"]


def test_other_rules(tmp_path: Path, parsed: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the model or of the reader reads every file again."""
    cache = tmp_path / "cache"
    folder = write_failure(tmp_path / "failures")
    load(folder.parent, cache)
    monkeypatch.setattr(known_records, "_RULES", ("catalog/yaml_reader.py", "model/base.py"))
    load(folder.parent, cache)
    assert len(parsed) == 2


def test_cannot_be_written(tmp_path: Path) -> None:
    """A cache that cannot be written, or none at all: the same records."""
    folder = write_failure(tmp_path / "failures")
    (tmp_path / "cache").write_text("a file")
    assert load(folder.parent, tmp_path / "cache") == load(folder.parent)


def test_defaults_are_not_remembered(tmp_path: Path) -> None:
    """Only what a record says: a default is that of the code that reads it."""
    folder = write_failure(tmp_path / "failures")
    load(folder.parent, tmp_path / "cache")
    (record,) = json.loads(remembered(tmp_path / "cache").read_text())["records"].values()
    assert "timeout" not in record
    assert Failure.model_validate(record).timeout == 120


def test_own_matrix(tmp_path: Path, parsed: list[Path]) -> None:
    """The matrix is remembered as it was read, apart from the records, and read anew once it has changed."""
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text((PACKAGE.parent / "matrix.yaml").read_text())
    project = replace(Project.here(), matrix_file=matrix, cache=tmp_path / "cache")
    first, second = project.own_matrix, replace(project).own_matrix
    assert first == second
    assert len(parsed) == 1
    assert {name: runs.model_fields_set for name, runs in first.floating.items()} == {
        name: runs.model_fields_set for name, runs in second.floating.items()
    }
    matrix.write_text(matrix.read_text().replace("format: 1", "format: 1 # changed"))
    assert replace(project).own_matrix == first
    assert len(parsed) == 2
