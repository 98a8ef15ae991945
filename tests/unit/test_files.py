"""Files appear whole or not at all."""

import os
import socket
import threading
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from repro.files import path_inside, read_bytes_file, read_text_file, templates_of, write_whole, writing
from repro.model.errors import EnvironmentFailure, StoreError, UnreadableFileError, UsageError


def test_written(tmp_path: Path) -> None:
    """The text, in UTF-8, in folders that are made if need be, readable by others; nothing else is left."""
    file = tmp_path / "a" / "b" / "x.json"
    write_whole(file, "ü\n")
    assert file.read_bytes() == "ü\n".encode()
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["x.json"]


def test_replaced(tmp_path: Path) -> None:
    """An existing file is replaced as a whole; who has it open keeps the old text."""
    file = tmp_path / "x"
    file.write_text("old and long")
    with file.open() as reader:
        write_whole(file, "new")
        assert reader.read() == "old and long"
    assert file.read_text() == "new"


@pytest.mark.parametrize("step", ["fsync", "encode", "replace"])
def test_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whatever fails: the old file stays, and no half file is left beside it."""
    file = tmp_path / "x"
    file.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    if step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((OSError, UnicodeEncodeError)):
        write_whole(file, "\udcff" if step == "encode" else "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle leaves nothing either."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x", "new")
    assert list(tmp_path.iterdir()) == []


def test_concurrent(tmp_path: Path) -> None:
    """Many writers of one file: a reader always sees one of their texts, whole."""
    file = tmp_path / "x"
    texts = {str(number) * 5000 for number in range(4)}
    write_whole(file, "0" * 5000)

    def write(text: str) -> None:
        for _ in range(15):
            write_whole(file, text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert file.read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


class TestReading:
    """Files from outside: a regular file of bounded size, or one clear reason."""

    def test_text(self, tmp_path: Path) -> None:
        """Universal newlines; exactly the limit is allowed; a link to a file is a file."""
        file = tmp_path / "x.txt"
        file.write_bytes("ü\r\n".encode())
        (tmp_path / "link").symlink_to(file)
        assert read_text_file(tmp_path / "link") == "ü\n"
        assert read_bytes_file(file, 4) == "ü\r\n".encode()

    def test_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"12345")
        with pytest.raises(UnreadableFileError, match="x: is larger than 4 bytes"):
            read_bytes_file(tmp_path / "x", 4)

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("fifo", "is a FIFO"),
            ("folder", "is a folder"),
            ("socket", "No such device|is a socket"),
            ("missing", "No such file"),
            ("latin", "is not UTF-8 text"),
            ("null\0", "null"),
            ("/dev/zero", "is a device"),
        ],
    )
    def test_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str) -> None:
        """At once: a FIFO without a writer would wait for ever, a device would never end."""
        monkeypatch.chdir(tmp_path)
        os.mkfifo("fifo")
        Path("folder").mkdir()
        Path("latin").write_bytes(b"\xff\xfe\xff")
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket")
            with pytest.raises(UnreadableFileError, match=problem) as caught:
                read_text_file(Path(name))
        assert str(caught.value) == f"{name}: {caught.value.problem}"
        assert caught.value.exit_code == 2

    def test_inside(self, tmp_path: Path) -> None:
        """A joined path stays below its root, links followed."""
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "out").symlink_to(tmp_path)
        root = tmp_path / "root"
        assert path_inside(root, "a", "b.json") == root / "a" / "b.json"
        for parts in (("../x",), ("a", "../../x"), ("/etc/passwd",), ("out", "x")):
            with pytest.raises(UsageError, match="leads out of"):
                path_inside(root, *parts)


def test_writing(tmp_path: Path) -> None:
    """What the system refuses becomes one line, of the error that is asked for; other errors pass."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"x.json: cannot be written: File exists$"), writing("x.json"):
        write_whole(tmp_path / "file" / "x", "")
    with pytest.raises(EnvironmentFailure, match="y: cannot be written"), writing("y", EnvironmentFailure):
        raise OSError(28, "No space left on device")
    with pytest.raises(KeyError), writing("z"):
        raise KeyError


def test_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An undefined name is an error, HTML is escaped only where it is asked for, block tags leave no empty line."""
    folder = tmp_path / "some_package" / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "a.j2").write_text("{% if true %}\n{{ text | twice }}\n{% endif %}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    filters = {"twice": lambda text: text + text}
    assert templates_of("some_package", filters).get_template("a.j2").render(text="<") == "<<\n"
    assert templates_of("some_package", filters, html=True).get_template("a.j2").render(text="<") == "&lt;&lt;\n"
    assert templates_of("some_package", filters, trim=False).get_template("a.j2").render(text="<") == "\n<<\n\n"
    with pytest.raises(UndefinedError):
        templates_of("some_package", filters).get_template("a.j2").render()
