"""What public threads report: at least a hundred rows, each with a link and a pattern that says something."""

from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.catalog.public_threads import REPORTED, reported_failures
from repro.model.errors import RecordError

ROW = """format: 1
reported:
  - link: https://github.com/owner/project/issues/7
    stated: {torch: ">=2.0"}
    said: An upgrade helps.
    seen_as: {name: raised, error: [ValueError], message: odd, alone: true}
"""


def private(tmp_path: Path, text: str) -> Project:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / REPORTED).write_text(text)
    return Project.here(catalog=folder)


def test_ours() -> None:
    """Enough rows, each of another thread; what is matched without a traceback has a message of some words."""
    rows = reported_failures(Project.here())
    assert len(rows) >= 100
    assert len({row.link for row in rows}) == len(rows)
    for row in rows:
        assert not row.seen_as.alone or len(row.seen_as.message) >= 20, row.id
        assert row.seen_as.message or row.seen_as.frames, row.id


def test_a_private_catalogue_has_its_own_first(tmp_path: Path) -> None:
    """Rows of a catalogue elsewhere come before ours."""
    rows = reported_failures(private(tmp_path, ROW))
    assert rows[0].id == "project-7"
    assert len(rows) > 100


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("github.com", "example.org", "link"),
        ('">=2.0"', "2.0", "quote it"),
        ("An upgrade helps.", '""', "said"),
        ("message: odd", "message: '('", "no regular expression"),
        ("error: [ValueError], message: odd, alone: true", "beside: x", "exactly one of"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A row that is not valid is named with file, line and key."""
    with pytest.raises(RecordError) as raised:
        reported_failures(private(tmp_path, ROW.replace(old, new)))
    assert words in str(raised.value)
    assert f"{REPORTED}:" in str(raised.value)
