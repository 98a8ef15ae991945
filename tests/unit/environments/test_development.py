"""Development versions: locked by commit or by hash, and refused in one line.  uv and git are the real ones."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from repro.environments.build import Environments
from repro.environments.development import (
    at_locked,
    check_sources,
    refuse_source,
    source_requirement,
    source_wheel,
    with_addresses,
)
from repro.environments.locks import Lock, parse_lock, read_header, stale
from repro.environments.pack.overlay import unpack
from repro.environments.pack.write import PackTarget, write_pack
from repro.environments.resolve import resolve
from repro.files import PACKAGE
from repro.model.errors import EnvironmentFailure, Exit, SourceError, UsageError
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


def test_branch_that_moves(repository: Path, tmp_path: Path) -> None:
    """A search keeps the commit of its beginning; a new one takes that of today."""
    git(repository, "branch", "-f", "moving", "v1")
    held = environment(f"git+file://{repository}@moving")
    made = Environments(EMPTY, tmp_path, tmp_path / "cache", derived={"dev": held})
    first = made.lock("dev")
    exact = at_locked(held, first)
    assert exact.sources == {"tinylib": f"git+file://{repository}@{git(repository, 'rev-parse', 'v1')}"}
    git(repository, "branch", "-f", "moving", "HEAD")
    assert made.lock("dev").digest != first.digest
    kept = Environments(EMPTY, tmp_path, tmp_path / "cache", derived={"dev": exact})
    assert kept.lock("dev").digest == first.digest
    assert list((tmp_path / "cache" / "locks").iterdir())


def test_wheel_that_changes(wheel: Path, tmp_path: Path) -> None:
    """The lock of a wheel's name alone is not kept for another wheel of that name."""
    held = environment(str(wheel))
    made = Environments(EMPTY, tmp_path, tmp_path / "cache", derived={"dev": held})
    exact = at_locked(held, made.lock("dev"))
    check_sources(exact)
    lock = resolve("dev", exact, EMPTY)
    assert lock.header[-1] == f"# source tinylib: {wheel.name}#sha256={exact.sources['tinylib'][-64:]}"
    assert read_header(lock)[1].public_sources == exact.public_sources
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tinylib_more.py", "")
    assert made.lock("dev").digest != lock.digest
    with pytest.raises(SourceError, match=r"^tinylib: tinylib-1\.0\.dev0-py3-none-any\.whl is another wheel than"):
        check_sources(exact)


def named_wheel(folder: Path, file: str, *, name: str, version: str) -> Path:
    """A wheel of one module without code."""
    info, wheel = f"{name}-{version}.dist-info", folder / file
    tag = file.removesuffix(".whl").split("-", 2)[2]
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", f"{info}/METADATA,,{len(metadata)}\n{info}/RECORD,,\n{name}.py,,0\n")
    return wheel


def test_torch_from_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That file is installed, whatever build this machine would choose; its hash is part of the lock's digest."""
    monkeypatch.setattr("repro.environments.build.choose_torch", lambda *_: pytest.fail("no build is chosen"))
    wheel = named_wheel(tmp_path, "torch-9.9.dev1-py3-none-any.whl", name="torch", version="9.9.dev1")
    held = Environment(cutoff="2026-07-20", cutoffs={"torch": "2026-07-21"}, sources={"Torch": str(wheel)}, why="x")
    lock = resolve("dev", held, EMPTY)
    assert lock.torch is not None
    assert (lock.torch, lock.libraries) == (lock.sources[0], ())
    assert str(lock.torch.source) in lock.text
    made = Environments(EMPTY, tmp_path, tmp_path / "cache", derived={"dev": held}, held={"dev": lock})
    assert made.interpreter("dev").installed.distributions == {"torch": "9.9.dev1"}
    record = made.place("dev").record
    assert (record.torch, record.source) == ("9.9.dev1", wheel.name)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("torch_more.py", "")
    assert resolve("dev", held, EMPTY).digest != lock.digest


@pytest.mark.parametrize(
    "file", ["tinylib-1.0-cp37-cp37m-win32.whl", "tinylib-1.0-cp311-cp311-win32.whl", "tinylib-1.0-py3-none-any.whl"]
)
def test_wheel_that_does_not_fit(tmp_path: Path, file: str) -> None:
    """One for another machine, and one that is another distribution's, in one line without a folder."""
    name = "tinylib" if "win32" in file else "another"
    held = environment(str(named_wheel(tmp_path, file, name=name, version="1.0")))
    made = Environments(EMPTY, tmp_path, tmp_path / "cache", derived={"dev": held})
    with pytest.raises(SourceError, match=r"cannot be used: it is no wheel of tinylib for Python 3\.11") as caught:
        made.interpreter("dev")
    assert str(tmp_path) not in str(caught.value)


class TestPack:
    """The wheels of development versions, for a machine without a network."""

    def test_of_a_commit(self, repository: Path, tmp_path: Path) -> None:
        """What an environment has installed, and nothing that names this machine; the same bytes each time."""
        held = environment(f"git+file://{repository}@v1")
        (package,) = resolve("dev", held, EMPTY).sources
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        first, second = (source_wheel(package, held, folder) for folder in folders)
        assert first.name == "tinylib-1.0.dev0-py3-none-any.whl"
        assert first.read_bytes() == second.read_bytes()
        with zipfile.ZipFile(first) as archive:
            assert archive.read("tinylib.py") == b"answer = 1\n"
            parts = [f"tinylib-1.0.dev0.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL")]
            assert sorted(archive.namelist()) == [*parts, "tinylib.py"]
            listed = archive.read(parts[1]).decode().splitlines()
            assert [line.split(",")[0] for line in listed] == [parts[0], parts[2], "tinylib.py", parts[1]]

    def test_written(self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beside the releases; unpacked there, it is the locked commit."""
        monkeypatch.setattr("repro.environments.pack.write._download", lambda *_: frozenset())
        held = environment(f"git+file://{repository}@v1")
        made = Environments(
            Matrix(format=1, environments={"dev": held}, runs={}), tmp_path, tmp_path / "cache", derived={"dev": held}
        )
        target = PackTarget("3.12", "manylinux_2_28_x86_64", {"tinylib": "1.0.dev0"})
        pack = write_pack(made, ["dev"], target, tmp_path / "pack", package=PACKAGE)
        (wheel,) = pack.wheels_of("dev")
        assert (wheel.distribution, wheel.version) == ("tinylib", "1.0.dev0")
        unpack(tmp_path / "pack" / "wheels" / wheel.file, tmp_path / "there", wheel.sha256)
        assert (tmp_path / "there" / "tinylib.py").read_text() == "answer = 1\n"
        assert "secret-folder" not in (tmp_path / "pack" / "pack.json").read_text()

    def test_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cannot be laid over the other interpreter: a wheel for another Python, and torch."""
        monkeypatch.setattr("repro.environments.pack.write._download", lambda *_: frozenset())
        other = named_wheel(tmp_path, "tinylib-1.0-cp311-cp311-linux_x86_64.whl", name="tinylib", version="1.0")
        torch = named_wheel(tmp_path, "torch-9.9.dev1-py3-none-any.whl", name="torch", version="9.9.dev1")
        held = {
            "other": environment(str(other)),
            "nightly": Environment(cutoff="2026-07-20", sources={"torch": str(torch)}, why="nightly"),
        }
        made = Environments(Matrix(format=1, environments=held, runs={}), tmp_path, tmp_path / "cache", derived=held)
        target = PackTarget("3.12", "manylinux_2_28_x86_64", {})
        for name, said in {
            "other": r"^tinylib: tinylib-1\.0-cp311-cp311-linux_x86_64\.whl does not fit Python 3\.12 on many",
            "nightly": r"^nightly: has a torch of its own, torch-9\.9\.dev1-py3-none-any\.whl, and a pack takes",
        }.items():
            with pytest.raises(UsageError, match=said) as caught:
                write_pack(made, [name], target, tmp_path / "pack", package=PACKAGE)
            assert caught.value.exit_code is Exit.USAGE


def test_addresses_of_this_machine() -> None:
    """What a log says of a local source, with its folder again; others stay as they are."""
    commit, sha256 = "1" * 40, "2" * 64
    logged = {
        "tinylib": f"git+file:tinyrepo@{commit}",
        "other": f"other-1.0-py3-none-any.whl#sha256={sha256}",
        "far": f"git+https://example.org/far@{commit}",
    }
    known = {"TinyLib": "git+file:///here/tinyrepo@main", "other": "/here/other-1.0-py3-none-any.whl"}
    held = Environment(cutoff="2026-07-20", sources=logged, why="of a log")
    found = with_addresses(held, known)
    assert found.sources == {
        "tinylib": f"git+file:///here/tinyrepo@{commit}",
        "other": f"/here/other-1.0-py3-none-any.whl#sha256={sha256}",
        "far": logged["far"],
    }
    assert found.public_sources == held.public_sources
    with pytest.raises(SourceError, match=r"^tinylib: git\+file:tinyrepo@1{40} is not on this machine$"):
        check_sources(with_addresses(held, {}))


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
