"""The interpreter of a series that this machine has."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.environments import pythons
from repro.environments.pythons import base_python, newest_of_pyenv
from repro.environments.uv import uv_environment
from repro.model.errors import EnvironmentFailure, NoPythonError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pyenv's folder; 3.12.12 is newer than 3.12.9, and of 3.13 there is no release."""
    for version in ("3.12.9", "3.12.12", "3.13-dev", "3.120.1"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
        (tmp_path / "versions" / version / "bin" / "python").touch()
    (tmp_path / "versions" / "3.12.13").mkdir()
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[Sequence[str]]:
    """A uv that finds Python 3.11 alone."""
    calls: list[Sequence[str]] = []

    def run(arguments: Sequence[str]) -> str:
        calls.append(arguments)
        if arguments[-1] != "3.11":
            raise EnvironmentFailure("No interpreter found")
        return "/usr/bin/python3.11\n"

    monkeypatch.setattr(pythons, "run_uv", run)
    monkeypatch.setenv("PYENV_ROOT", str(root))
    return calls


def test_newest_of_pyenv(root: Path) -> None:
    """The number counts, not the text; a folder without an interpreter does not."""
    assert newest_of_pyenv("3.12", root) == root / "versions" / "3.12.12" / "bin" / "python"
    assert newest_of_pyenv("3.13", root) is None
    assert newest_of_pyenv("3.12", root / "missing") is None


def test_base_python(asked: list[Sequence[str]], root: Path) -> None:
    """Uv's own finding first, so that environments of the usual Python are built as ever; then pyenv's."""
    assert base_python("3.11") == "3.11"
    assert base_python("3.12") == str(root / "versions" / "3.12.12" / "bin" / "python")
    assert [call[:2] for call in asked] == [["python", "find"]] * 2


def test_none_here(asked: list[Sequence[str]]) -> None:
    with pytest.raises(NoPythonError, match=r"^no Python 3\.13 here$"):
        base_python("3.13")
    assert asked


def test_never_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the user allows uv to download interpreters."""
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "automatic")
    assert uv_environment()["UV_PYTHON_DOWNLOADS"] == "never"
