"""``repro export``: files, the archive, the service, bad input."""

import json
from pathlib import Path

import pytest

from repro.catalog.project import Project
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE


def test_kinds(call: Call, held: Project, tmp_path: Path) -> None:  # noqa: ARG001
    """Silent failures and lost data by default; this one is a crash."""
    assert call("export", "--files", str(tmp_path / "a"))[:2] == (0, f"0 records in {tmp_path / 'a'}\n")
    status, _, _ = call("export", "--files", str(tmp_path / "a"), "--offline", str(tmp_path / "b"), "--kind", "crash")
    (file,) = (tmp_path / "a").glob("*.json")
    assert (status, json.loads(file.read_text())["id"]) == (0, f"x_repro-{FAILURE}")
    assert (tmp_path / "b" / "osv-scanner" / "PyPI" / "all.zip").is_file()


@pytest.mark.parametrize("arguments", [(), ("--kind", "odd", "--files", "x"), ("--serve", "--port", "70000")])
def test_bad_input(call: Call, held: Project, arguments: tuple[str, ...]) -> None:  # noqa: ARG001
    assert call("export", *arguments)[0] == 2


def test_a_folder_that_cannot_be_written(call: Call, held: Project, tmp_path: Path) -> None:  # noqa: ARG001
    (tmp_path / "file").write_text("")
    status, _, err = call("export", "--kind", "crash", "--files", str(tmp_path / "file"))
    assert (status, "cannot be written" in err) == (2, True)
