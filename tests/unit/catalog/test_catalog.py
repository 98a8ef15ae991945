"""Catalogues: folders of failures."""

from pathlib import Path

import pytest

from repro.catalog.catalog import load
from repro.errors import RecordError, UsageError
from tests.unit.factories import FAILURE, write_failure


def test_load(tmp_path: Path) -> None:
    """Failures by id, in order; hidden folders and files beside them are passed over."""
    for name in ("torch-2", "lightning-10", "lightning-9"):
        write_failure(tmp_path, id=name)
    for name in ("_template", ".git", "__pycache__"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("x")
    catalog = load(tmp_path)
    assert [entry.failure.id for entry in catalog] == ["lightning-10", "lightning-9", "torch-2"]
    assert catalog["torch-2"].script == tmp_path / "torch-2" / "repro.py"


def test_unknown(tmp_path: Path) -> None:
    """A misspelt id is a usage error with the nearest one."""
    write_failure(tmp_path)
    with pytest.raises(UsageError, match=r"no failure 'lightnig-19492'; did you mean 'lightning-19492'\?"):
        load(tmp_path)["lightnig-19492"]


def test_all_faults(tmp_path: Path) -> None:
    """The faults of all records are told at once; a folder without a record is one."""
    write_failure(tmp_path, id="a-1", timeout=0)
    write_failure(tmp_path, id="b-2", kind="boom")
    write_failure(tmp_path, id="c-3")
    (tmp_path / "d-4").mkdir()
    with pytest.raises(RecordError) as caught:
        load(tmp_path)
    assert [fault.file.parent.name for fault in caught.value.faults] == ["a-1", "b-2", "d-4"]


def test_id_differs(tmp_path: Path) -> None:
    """A record must stand in the folder of its id."""
    write_failure(tmp_path, folder="lightning-1")
    with pytest.raises(RecordError, match="'lightning-19492' differs from the folder's name; write lightning-1"):
        load(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    """A missing catalogue is a usage error."""
    with pytest.raises(UsageError, match="no catalogue"):
        load(tmp_path / "none")


def test_backport_file(tmp_path: Path) -> None:
    """The file of a backport by its name; another name is a usage error."""
    write_failure(tmp_path)
    entry = load(tmp_path)[FAILURE]
    assert entry.backport_file("placebo") == tmp_path / FAILURE / "placebo.py"
    with pytest.raises(UsageError, match=r"no backport of lightning-19492 'cuer'; did you mean 'cure'\?"):
        entry.backport_file("cuer")
