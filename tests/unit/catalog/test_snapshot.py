"""What is copied beside a user's script, and what its name depends on."""

from pathlib import Path

import pytest

from repro.catalog import snapshot
from repro.catalog.snapshot import take
from repro.model.errors import UsageError


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "rows.txt").write_text("1\n")
    (folder / "model.py").write_text("WIDTH = 8\n")
    (folder / "train.py").write_text("import model\n")
    for name in (".git", "__pycache__", "repro-runs"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("no")
    return folder / "train.py"


def test_copies_what_lies_beside(script: Path, tmp_path: Path) -> None:
    made = take(script, tmp_path / "copies")
    files = {str(file.relative_to(made.folder)) for file in made.folder.rglob("*") if file.is_file()}
    assert files == {"train.py", "model.py", "data/rows.txt"}
    assert made.id.startswith("script-train-")
    assert {"model", "data"} <= made.modules


def test_the_same_is_copied_once(script: Path, tmp_path: Path) -> None:
    first = take(script, tmp_path / "copies")
    (first.folder / "seen").touch()
    assert take(script, tmp_path / "copies").folder / "seen" == first.folder / "seen"
    assert (first.folder / "seen").exists()


@pytest.mark.parametrize("change", ["script", "data", "arguments", "variables", "value"])
def test_every_part_counts(script: Path, tmp_path: Path, change: str) -> None:
    before = take(script, tmp_path / "copies", ["--steps", "2"], {"KEY": "1"})
    arguments, variables = ["--steps", "2"], {"KEY": "1"}
    if change == "script":
        script.write_text("import model  # changed\n")
    elif change == "data":
        (script.parent / "data" / "rows.txt").write_text("2\n")
    elif change == "arguments":
        arguments = ["--steps", "3"]
    elif change == "variables":
        variables = {}
    else:
        variables = {"KEY": "2"}
    assert take(script, tmp_path / "copies", arguments, variables).id != before.id


def test_a_link_is_kept_and_leads_to_the_same_place(script: Path, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (script.parent / "large").symlink_to("../large")
    made = take(script, tmp_path / "copies")
    assert (made.folder / "large").is_symlink()
    assert (made.folder / "large").resolve() == (tmp_path / "large").resolve()


def test_a_large_folder_is_refused(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 10)
    with pytest.raises(UsageError, match="is copied for each run"):
        take(script, tmp_path / "copies")
    assert not (tmp_path / "copies").exists()


@pytest.mark.parametrize("name", ["no.py", "rank0.log"])
def test_mistakes(script: Path, tmp_path: Path, name: str) -> None:
    (script.parent / "rank0.log").touch()
    with pytest.raises(UsageError):
        take(script.parent / name, tmp_path / "copies")
