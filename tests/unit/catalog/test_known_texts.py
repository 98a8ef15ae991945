"""Texts that are cached: used while nothing changed, and never what is no longer so."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.catalog import known_texts
from repro.catalog.known_texts import known_text

Ask = Callable[[], str]


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue with one failure, and code of its own that makes the texts."""
    package = tmp_path / "package"
    for folder in (*(package / name for name in known_texts.MAKERS), tmp_path / "failures" / "a-1"):
        folder.mkdir(parents=True)
    (package / "model" / "failure.py").write_text("A = 1\n")
    (tmp_path / "failures" / "a-1" / "failure.yaml").write_text("title: one\n")
    monkeypatch.setattr(known_texts, "PACKAGE", package)
    monkeypatch.setattr(known_texts, "SETTLED_SECONDS", float("-inf"))
    return tmp_path / "failures"


@pytest.fixture
def made() -> list[str]:
    """The texts that were made."""
    return []


@pytest.fixture
def ask(catalog: Path, made: list[str]) -> Ask:
    """Ask for the text of the catalogue."""

    def make() -> str:
        made.append(f"text {len(made)}\n\nof two lines")
        return made[-1]

    return lambda: known_text("rows", catalog, catalog.parent / "cache", make)


def cached(catalog: Path) -> Path:
    (file,) = (catalog.parent / "cache" / "texts").iterdir()
    return file


def test_unchanged(catalog: Path, ask: Ask, made: list[str]) -> None:
    """It is made once, and kept for its owner."""
    assert {ask() for _ in range(3)} == {"text 0\n\nof two lines"}
    assert len(made) == 1
    assert cached(catalog).stat().st_mode & 0o777 == 0o600


def rewrite(file: Path, text: str) -> None:
    """Write another text of the same size, once the file system's clock has gone on."""
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def put_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda catalog: rewrite(catalog / "a-1" / "failure.yaml", "title: two\n"),
        lambda catalog: (catalog / "a-1" / "repro.py").write_text(""),
        lambda catalog: (catalog / "a-1" / "failure.yaml").unlink(),
        lambda catalog: (catalog / "a-1").rename(catalog / "a-2"),
        lambda catalog: (catalog / "b-1").mkdir(),
        lambda catalog: (catalog / "matrix.yaml").write_text(""),
        lambda catalog: rewrite(catalog.parent / "package" / "model" / "failure.py", "A = 2\n"),
        lambda catalog: (catalog.parent / "package" / "files.py").write_text(""),
    ],
)
def test_changed(catalog: Path, ask: Ask, made: list[str], change: Callable[[Path], object]) -> None:
    """A record, a script, a folder or our code: another text is made, once."""
    ask()
    change(catalog)
    assert ask() == ask() == "text 1\n\nof two lines"
    assert len(made) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_text(""),
        lambda file: file.write_text(file.read_text().replace("lines", "words")),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.chmod(0o666),
        lambda file: (file.unlink(), file.mkdir()),
        put_fifo,
    ],
)
def test_damaged(catalog: Path, ask: Ask, made: list[str], damage: Callable[[Path], object]) -> None:
    """A text that is not whole, or that others could have written, is made again."""
    ask()
    damage(cached(catalog))
    assert ask() == made[1] == "text 1\n\nof two lines"


def test_foreign(catalog: Path, ask: Ask, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one of another user."""
    ask()
    assert cached(catalog).is_file()
    monkeypatch.setattr(os, "getuid", lambda: cached(catalog).stat().st_uid + 1)
    assert ask() == made[1]


def test_young(catalog: Path, ask: Ask, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a change nothing is cached: the next change may leave the same times."""
    monkeypatch.setattr(known_texts, "SETTLED_SECONDS", 3600)
    assert [ask(), ask()] == made
    assert not (catalog.parent / "cache").exists()


def test_no_cache(catalog: Path, ask: Ask, made: list[str]) -> None:
    """A cache that cannot be written is not an error."""
    (catalog.parent / "cache").write_text("a file")
    assert [ask(), ask()] == made


def test_no_catalog(catalog: Path, ask: Ask, made: list[str]) -> None:
    """What is said of a folder that is missing is the maker's."""
    ask()
    catalog.rename(catalog.parent / "elsewhere")
    assert ask() == made[1]
