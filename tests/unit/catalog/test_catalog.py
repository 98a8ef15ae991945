"""Catalogues: folders of failures."""

from pathlib import Path

import pytest

from repro.catalog.catalog import load
from repro.files import PACKAGE
from repro.model.errors import RecordError, UsageError
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


def test_broken_records(tmp_path: Path) -> None:
    """A record that is not valid stops no other one; asked for by id, all of its faults are the error."""
    write_failure(tmp_path, id="a-1", timeout=0, kind="boom")
    write_failure(tmp_path, id="c-3")
    (tmp_path / "d-4").mkdir()
    catalog = load(tmp_path)
    assert list(catalog.entries) == ["c-3"]
    assert not catalog.drafts
    assert [fault.file.parent.name for fault in catalog.broken] == ["a-1", "a-1", "d-4"]
    with pytest.raises(RecordError) as caught:
        catalog["a-1"]
    assert [fault.key for fault in caught.value.faults] == ["kind", "timeout"]
    first, second = catalog.skipped
    assert first.startswith(f"skipped a-1: {tmp_path / 'a-1' / 'failure.yaml'}:")
    assert first.endswith("(and 1 more: `repro check`)")
    assert second.startswith("skipped d-4: ")
    assert "\n" not in first + second


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("failure.yaml", "# question: What was not tested?\n"),
        ("repro.py", "print('oracle passed: ANSWER')\n"),
    ],
)
def test_drafts(tmp_path: Path, file: str, text: str) -> None:
    """A failure with an open question is a draft: it is there by its id, and no part of the whole."""
    write_failure(tmp_path, id="a-1")
    folder = write_failure(tmp_path, id="b-2")
    with (folder / file).open("a", encoding="utf-8") as stream:
        stream.write(text)
    catalog = load(tmp_path)
    assert [entry.failure.id for entry in catalog] == ["a-1"]
    assert catalog["b-2"].failure.id == "b-2"
    assert catalog.get("b-2") is catalog["b-2"]
    assert not catalog.broken
    (line,) = catalog.skipped
    assert line.startswith(f"skipped b-2: {folder / file}:")
    assert "questio" in line or "ANSWER" in line or "not answered" in line
    with pytest.raises(UsageError, match="did you mean 'b-2'"):
        catalog["bb-2"]


def test_id_differs(tmp_path: Path) -> None:
    """A record must stand in the folder of its id."""
    write_failure(tmp_path, folder="lightning-1")
    with pytest.raises(RecordError, match="'lightning-19492' differs from the folder's name; write lightning-1"):
        load(tmp_path)["lightning-1"]


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


class TestNamed:
    """A failure by its id, or by what people call its upstream issue."""

    def test_upstream(self) -> None:
        found = load(PACKAGE / "failures")
        assert found.named("transformers-34928").failure.id == "lightning-19267"
        assert found.named("huggingface/transformers#34928").failure.id == "lightning-19267"
        assert found.named("lightning-19267").failure.id == "lightning-19267"

    def test_unknown(self) -> None:
        with pytest.raises(UsageError, match=r"no failure 'transformers-3492'"):
            load(PACKAGE / "failures").named("transformers-3492")

    def test_of_several(self, tmp_path: Path) -> None:
        """Two failures of one issue are named both."""
        for name in ("lightning-1", "lightning-2"):
            write_failure(tmp_path, id=name, folder=name)
        found = load(tmp_path)
        (issue, *_) = found["lightning-1"].failure.upstream.issues
        with pytest.raises(UsageError, match=r"upstream of several failures: lightning-1, lightning-2"):
            found.named(issue)
