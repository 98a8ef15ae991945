"""Development versions: locked by commit or by hash, and refused in one line.  uv and git are the real ones."""

import os
import subprocess
from pathlib import Path

import pytest

from repro.environments.build import Environments
from repro.environments.development import refuse_source, source_requirement
from repro.environments.locks import Lock, parse_lock, read_header, stale
from repro.environments.resolve import resolve
from repro.model.errors import EnvironmentFailure, Exit, SourceError
from repro.model.matrix import Environment, Matrix

BACKEND = """\
import base64, hashlib, pathlib, zipfile
NAME, INFO = "tinylib-1.0.dev0-py3-none-any.whl", "tinylib-1.0.dev0.dist-info"
def line(name, text):
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(text.encode())}\\n"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    files = {
        "tinylib.py": pathlib.Path("tinylib.py").read_text(),
        f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: tinylib\\nVersion: 1.0.dev0\\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{INFO}/RECORD"] = "".join(line(*item) for item in files.items()) + f"{INFO}/RECORD,,\\n"
    with zipfile.ZipFile(f"{folder}/{NAME}", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return NAME
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
EMPTY = Matrix(format=1, environments={}, runs={})


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    held = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True, env=held)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits; the tag v1 is of the first."""
    folder = tmp_path_factory.mktemp("secret-folder") / "tinyrepo"
    folder.mkdir()
    for name, text in {"pyproject.toml": PROJECT, "backend.py": BACKEND, "tinylib.py": "answer = 1\n"}.items():
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1")
    (folder / "tinylib.py").write_text("answer = 2\n")
    git(folder, "commit", "-qam", "two")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv"))
    monkeypatch.setenv("UV_OFFLINE", "1")


def environment(source: str) -> Environment:
    return Environment(cutoff="2026-07-20", sources={"tinylib": source}, why="development")


@pytest.fixture
def wheel(repository: Path, tmp_path: Path) -> Path:
    names: dict[str, object] = {}
    exec(compile(BACKEND, "backend.py", "exec"), names)  # noqa: S102 - the backend of this file
    before = Path.cwd()
    os.chdir(repository)
    try:
        name = str(names["build_wheel"](str(tmp_path)))  # type: ignore[operator]
    finally:
        os.chdir(before)
    return tmp_path / name


def check_public(lock: Lock, *folders: Path) -> None:
    """No text of a lock names a folder, and its header gives the definition back."""
    assert not any(str(folder) in lock.text or "secret-folder" in lock.text for folder in folders)
    again = parse_lock(lock.text)
    assert (again.digest, again.versions) == (lock.digest, {"tinylib": "1.0.dev0"})
    assert read_header(again)[1].public_sources == {"tinylib": lock.header[-1].partition(": ")[2]}


def test_git(repository: Path, tmp_path: Path) -> None:
    """A tag becomes its commit; what is built and installed is that commit, though the tag moved since."""
    held = environment(f"git+file://{repository}@v1")
    lock = resolve("dev", held, EMPTY)
    commit = git(repository, "rev-parse", "v1")
    assert lock.sources[0].source == f"git+file:tinyrepo@{commit}"
    check_public(lock, repository)
    assert stale(lock, "dev", held) is None
    assert stale(lock, "dev", environment(f"git+file://{repository}@v2")) is not None
    git(repository, "tag", "-f", "v1", "HEAD")
    try:
        assert resolve("dev", held, EMPTY).digest != lock.digest
        made = Environments(EMPTY, tmp_path, tmp_path / "cache", derived={"dev": held}, held={"dev": lock})
        found = made.interpreter("dev")
        assert found.installed.distributions["tinylib"] == "1.0.dev0"
        assert (made.place("dev").site / "tinylib.py").read_text() == "answer = 1\n"
        assert str(repository) not in found.installed.model_dump_json()
    finally:
        git(repository, "tag", "-f", "v1", commit)


def test_wheel(wheel: Path) -> None:
    """Its hash is locked: another wheel of that name is refused."""
    held = environment(str(wheel))
    lock = resolve("dev", held, EMPTY)
    check_public(lock, wheel.parent)
    (package,) = lock.sources
    assert source_requirement(package, held) == f"tinylib @ file://{wheel}"
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(SourceError, match=r"^tinylib: tinylib-1\.0\.dev0-py3-none-any\.whl is not the wheel"):
        source_requirement(package, held)
    wheel.unlink()
    with pytest.raises(SourceError, match=r"^tinylib: tinylib-1\.0\.dev0-py3-none-any\.whl is not on this machine$"):
        source_requirement(package, held)


def test_no_such_revision(repository: Path) -> None:
    with pytest.raises(SourceError, match=r"^tinylib: git\+file:tinyrepo@v9 cannot be used: ") as caught:
        resolve("dev", environment(f"git+file://{repository}@v9"), EMPTY)
    assert "\n" not in str(caught.value)
    assert "secret-folder" not in str(caught.value)


def test_no_network() -> None:
    """One clear line, what to do, and the exit code of a question that cannot be answered as it was put."""
    with pytest.raises(
        SourceError, match=r"^tinylib: git\+https://example\.invalid/x/y@v1 cannot be fetched: "
    ) as caught:
        resolve("dev", environment("git+https://example.invalid/x/y@v1"), EMPTY)
    assert "without a network, name a clone" in str(caught.value)
    assert caught.value.exit_code is Exit.USAGE


def test_other_failures_are_no_source() -> None:
    """A resolver's failure about another package stays what it is."""
    refuse_source(EnvironmentFailure("torch 9 is hidden"), environment("git+https://example.invalid/x/y@v1"))


def test_not_here(tmp_path: Path) -> None:
    """A lock from another machine names a repository that is not here."""
    with pytest.raises(SourceError, match="git\\+file:tinyrepo@v1 is not on this machine"):
        resolve("dev", environment(f"git+file://{tmp_path}/tinyrepo@v1"), EMPTY)
