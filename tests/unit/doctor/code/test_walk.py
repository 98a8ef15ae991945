"""A project is read whole, bounded, and without trust."""

import json
import os
import time
from pathlib import Path

import pytest

from repro.doctor.code import walk
from repro.doctor.code.decide import judge_code
from repro.doctor.code.examine import examine_code
from repro.doctor.code.vocabulary import Vocabulary
from repro.model.errors import UsageError
from repro.model.failure import Failure
from tests.unit.factories import failure

TEXT = "from torch.distributed.fsdp import fully_shard\nfully_shard(m)\n"


@pytest.fixture
def held() -> Failure:
    return failure(reach={"who": "Jobs.", "when": {"symbols": ["torch.distributed.**.fully_shard"]}})


def finding(folder: Path, held: Failure) -> tuple[str, str]:
    (reached,) = examine_code(folder, [held]).reached
    place = f"{reached.found[0].place}" if reached.found else reached.why
    return reached.finding.value, place


@pytest.mark.parametrize("name", ["train.py", "a/b c/train.py", ".github/scripts/x.py"])
def test_found(tmp_path: Path, held: Failure, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(TEXT)
    assert finding(tmp_path, held) == ("named", f"{name}:2")
    assert finding(tmp_path / name, held) == ("named", f"{Path(name).name}:2")


@pytest.mark.parametrize(
    "name", [".git/x.py", "node_modules/x.py", "env2/lib/x.py", "tests/x.py", "a/test_x.py", "x.txt", "x.pyc"]
)
def test_left_out(tmp_path: Path, held: Failure, name: str) -> None:
    """What is no code of the project: an environment inside it, its tests, other files."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(TEXT)
    (tmp_path / "env2").mkdir(exist_ok=True)
    (tmp_path / "env2" / "pyvenv.cfg").write_text("")
    assert finding(tmp_path, held)[0] == "not named"


def test_tests_are_counted(tmp_path: Path, held: Failure) -> None:
    (tmp_path / "test_x.py").write_text(TEXT)
    assert examine_code(tmp_path, [held]).notes == ("tests are not read: 1 file",)


def test_notebook(tmp_path: Path, held: Failure) -> None:
    cells = [
        {"cell_type": "markdown", "source": TEXT},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install torch\n", *TEXT.splitlines(True)]},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    assert finding(tmp_path, held) == ("named", "a.ipynb:cell 2:4")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", b"print 'Python 2'; torch.fully_shard\n"),
        ("a.py", b"x = 'torch.fully_shard\x00'\n"),
        ("a.py", b"x = " + b"(" * 5000 + b"torch.fully_shard" + b")" * 5000),
        ("a.ipynb", b"[1, 2] torch.fully_shard"),
        ("a.ipynb", b"[" * 200_000 + b"torch.fully_shard"),
    ],
)
def test_unreadable(tmp_path: Path, held: Failure, name: str, content: bytes) -> None:
    """A file that cannot be parsed may hold what its words say."""
    (tmp_path / name).write_bytes(content)
    code, why = finding(tmp_path, held)
    assert code == "could not tell"
    assert why.startswith(f"{name}:1 cannot be read")
    (tmp_path / name).write_bytes(content.replace(b"fully_shard", b"something"))
    assert finding(tmp_path, held)[0] == "not named"


def test_a_file_that_may_not_be_read(tmp_path: Path, held: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large: nothing is known of it."""
    monkeypatch.setattr(walk, "CODE_BYTES", 10)
    (tmp_path / "a.py").write_text(TEXT)
    assert finding(tmp_path, held)[0] == "could not tell"


def test_too_many_files(tmp_path: Path, held: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.py").write_text("x = 1\n")
    assert finding(tmp_path, held) == ("could not tell", "2.py:1 cannot be read (there are too many files)")


def test_links_and_pipes_are_not_followed(tmp_path: Path, held: Failure) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.py").write_text(TEXT)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.py").symlink_to(outside / "x.py")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    assert finding(inside, held) == ("not named", "")
    os.mkfifo(inside / "pipe.py")
    assert finding(inside, held)[0] == "could not tell"


def test_no_such_folder(tmp_path: Path, held: Failure) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        examine_code(tmp_path / "x", [held])


def test_nothing_is_run(tmp_path: Path, held: Failure) -> None:
    (tmp_path / "a.py").write_text(f"{TEXT}open({str(tmp_path / 'made')!r}, 'w')\n")
    finding(tmp_path, held)
    assert not (tmp_path / "made").exists()
    assert judge_code([], walk.read_project(tmp_path, Vocabulary.of([])).facts) == []


def test_two_thousand_files(tmp_path: Path, held: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes give what one gives, in the same order."""
    for number in range(2000):
        (tmp_path / f"m{number}.py").write_text(f"import torch\nx = torch.norm(y{number}).item()\n" * 20)
    (tmp_path / "m777.py").write_text(TEXT)
    (tmp_path / "m778.py").write_text(TEXT)
    began = time.process_time()
    by_several = examine_code(tmp_path, [held])
    assert time.process_time() - began < 5
    monkeypatch.setattr(walk, "FILES_FOR_PROCESSES", 2003)
    assert examine_code(tmp_path, [held]) == by_several
    assert str(by_several.reached[0].found[0].place) == "m777.py:2"


@pytest.mark.parametrize(
    "head",
    [
        "class own(Trainer):",
        "class  own (Trainer) :",
        "class own \\\n  (Trainer):",
        "class \\\r\nown(  # why\n  Trainer):",
        "class own[T](Trainer):",
        "if True:\n  class own(Base, metaclass=M, *[Trainer]): pass\nclass Two(own, Trainer):",
    ],
)
def test_classes_with_bases_are_never_missed(tmp_path: Path, head: str) -> None:
    """They are found before any file is parsed, since calls of other names are passed over."""
    file = tmp_path / "a.py"
    file.write_text(f"{head}\n  pass\n", newline="")
    assert "own" in walk._classes([walk._Chosen(file, "a.py")])


def test_a_class_of_another_file(tmp_path: Path) -> None:
    """A call of the project's own class, whatever its name, is a call of its base, in notebooks too."""
    asked = failure(
        reach={
            "who": "J.",
            "when": {"symbols": ["lightning.**.Trainer"], "arguments": {"precision": {"values": ["16"]}}},
        }
    )
    source = ["from lightning import Trainer\n", "class own(Trainer):\n", "  pass\n"]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}]}))
    (tmp_path / "b.py").write_text("from a import own\nown(precision=16)\n")
    assert finding(tmp_path, asked) == ("named", "b.py:2")
    (tmp_path / "b.py").write_text("from a import own as made\nmade(precision=16)\n")
    assert finding(tmp_path, asked) == ("named", "b.py:2")
    (tmp_path / "b.py").write_text("from a import other\nother(precision=16)\n")
    assert finding(tmp_path, asked)[0] == "not named"
