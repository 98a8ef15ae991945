"""Environments are built once, whole or not at all."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.environments import build as building
from repro.environments.build import Environments, Place, broken, disk_use
from repro.environments.locks import Lock, Locked
from repro.errors import EnvironmentFailure, RecordError, UsageError
from repro.model.matrix import Environment
from tests.unit.factories import interpreter, matrix, project

Build = Callable[[Environments, Place], None]
LOCK = Lock((), (Locked("torch", "2.2.2", "torch==2.2.2"),))


def install(folder: Path, *, mark: bool = True, others: Iterable[Locked] = ()) -> Path:
    """What a build leaves: an interpreter, torch with its RECORD, others, and the mark; returns site-packages."""
    site = folder / "lib" / "python3.11" / "site-packages"
    info = site / "torch-2.2.2.dist-info"
    info.mkdir(parents=True)
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text("x = 1\n")
    (info / "RECORD").write_text("torch/__init__.py,sha256=x,6\ntorch-2.2.2.dist-info/RECORD,,\n")
    for package in others:
        (site / f"{package.name}-{package.version}.dist-info").mkdir()
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text("")
    if mark:
        (folder / "repro-environment.txt").write_text("old\n")
    return site


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was built, by a build that takes a moment and a probe that answers at once."""
    done: list[str] = []

    def build(environments: Environments, place: Place) -> None:
        time.sleep(0.1)
        install(place.folder, others=environments.lock(place.name).libraries)
        done.append(place.name)

    monkeypatch.setattr(Environments, "_build", build)
    monkeypatch.setattr(building, "remembered", lambda executable, *_: interpreter(executable=executable))
    return done


class TestBroken:
    """A built environment that lost something is broken."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        install(tmp_path / "env")
        return Place("old", tmp_path / "env")

    def site(self, place: Place) -> Path:
        return place.folder / "lib" / "python3.11" / "site-packages"

    def test_whole(self, place: Place) -> None:
        """Nothing is wrong with a whole one."""
        assert broken(place, LOCK) is None

    def test_lost_file(self, place: Place) -> None:
        """A file that its distribution lists is gone."""
        (self.site(place) / "torch" / "__init__.py").unlink()
        assert broken(place, LOCK) == "__init__.py is gone"

    def test_changed_size(self, place: Place) -> None:
        """A file of another size, say emptied by a full disk."""
        (self.site(place) / "torch" / "__init__.py").write_text("")
        assert broken(place, LOCK) == "__init__.py has 0 bytes where 6 were installed"

    def test_no_interpreter(self, place: Place) -> None:
        """Its interpreter is gone; a link whose target is gone is gone too."""
        place.python.unlink()
        assert broken(place, LOCK) == "its interpreter is gone"
        place.python.symlink_to("/nonexistent/python")
        assert broken(place, LOCK) == "its interpreter is gone"

    def test_empty(self, tmp_path: Path) -> None:
        """No distributions at all."""
        place = Place("old", tmp_path / "none")
        place.python.parent.mkdir(parents=True)
        place.python.write_text("")
        assert broken(place, LOCK) == "torch 2.2.2 is gone"

    def test_a_whole_distribution_is_gone(self, place: Place) -> None:
        """A distribution that left no trace is missed by its lock; one for other machines is not."""
        more = Locked("numpy", "1.26.4", "numpy==1.26.4")
        elsewhere = Locked("colorama", "0.4.6", "colorama==0.4.6 ; sys_platform == 'win32'")
        assert broken(place, Lock((), (*LOCK.packages, more))) == "numpy 1.26.4 is gone"
        assert broken(place, Lock((), (*LOCK.packages, elsewhere))) is None

    def test_another_build_of_torch(self, place: Place) -> None:
        """The machine chooses torch's build: its local version is no damage, another release is."""
        info = self.site(place) / "torch-2.2.2.dist-info"
        (info / "RECORD").write_text("torch/__init__.py,sha256=x,6\n")
        info.rename(info.with_name("torch-2.2.2+cpu.dist-info"))
        assert broken(place, LOCK) is None
        (self.site(place) / "torch-2.2.2+cpu.dist-info").rename(info.with_name("torch-2.3.0.dist-info"))
        assert broken(place, LOCK) == "torch 2.2.2 is gone"

    def test_more_files(self, place: Place) -> None:
        """Bytecode that Python adds is no damage."""
        (self.site(place) / "torch" / "__pycache__").mkdir()
        (self.site(place) / "torch" / "__pycache__" / "x.pyc").write_text("x")
        assert broken(place, LOCK) is None

    @pytest.mark.parametrize(
        "row",
        [
            "torch/__init__.py,sha256=x,six\n",
            "torch/__init__.py\n",
            '"torch/__init__.py,sha256=x,6\n',
            "\x00,sha256=x,6\n",
        ],
    )
    def test_damaged_list(self, place: Place, row: str) -> None:
        """A damaged list of files never breaks the command."""
        (self.site(place) / "torch-2.2.2.dist-info" / "RECORD").write_text(row)
        assert isinstance(broken(place, LOCK), str | None)

    def test_disk_use(self, place: Place) -> None:
        """All bytes, and those that no other folder shares."""
        before = disk_use(place)
        os.link(self.site(place) / "torch" / "__init__.py", place.folder.parent / "cache")
        after = disk_use(place)
        assert after.total == before.total
        assert after.own == before.own - 6

    def test_disk_use_together(self, place: Place, tmp_path: Path) -> None:
        """A file that two environments share by a hard link counts once for both."""
        counted: set[tuple[int, int]] = set()
        first = disk_use(place, counted)
        other = Place("other", tmp_path / "other")
        other.folder.mkdir()
        shared = self.site(place) / "torch" / "__init__.py"
        (other.folder / "shared.py").hardlink_to(shared)
        (other.folder / "own.py").write_text("12345")
        second = disk_use(other, counted)
        assert first.added == first.total
        assert (second.added, second.own) == (5, 5)
        assert second.total == 5 + shared.stat().st_size


class TestPlace:
    """An environment's folder is named by its content."""

    def test_lock_names_it(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another lock or another source of torch is another folder."""
        monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
        first = held.environments.place("old").folder
        monkeypatch.setenv("UV_TORCH_BACKEND", "cpu")
        second = held.environments.place("old").folder
        file = held.locks / "old.txt"
        file.write_text(file.read_text().replace("aaaa", "bbbb"))
        third = held.environments.place("old").folder
        assert len({first, second, third}) == 3
        assert second.name == f"{first.name}-cpu"

    def test_unknown(self, held: Project) -> None:
        """A misspelt name is a usage error."""
        with pytest.raises(UsageError, match=r"no environment 'odl'; did you mean 'old'\?"):
            held.environments.lock("odl")

    def test_stale(self, held: Project) -> None:
        """A stale lock is refused before anything is built, with the command that mends it."""
        file = held.locks / "old.txt"
        file.write_text(file.read_text().replace("cutoff: 2024-03-28", "cutoff: 2024-03-27"))
        with pytest.raises(RecordError, match="run `repro lock old`"):
            held.environments.interpreter("old")


class TestInterpreter:
    """``interpreter`` gives a whole environment, however many ask."""

    def test_many_threads(self, held: Project, builds: list[str]) -> None:
        """Many that ask at once share one build."""
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(held.environments.interpreter, ["old"] * 8))
        assert builds == ["old"]
        assert {item.executable for item in found} == {held.environments.place("old").python}

    def test_reused(self, held: Project, builds: list[str]) -> None:
        """A whole one is used again."""
        held.environments.interpreter("old")
        held.environments.interpreter("old")
        held.environments.interpreter("new")
        assert builds == ["old", "new"]

    def test_half_built(self, held: Project, builds: list[str]) -> None:
        """A folder without the mark, left by a build that was killed, is not taken."""
        place = held.environments.place("old")
        place.folder.mkdir(parents=True)
        assert not place.exists
        held.environments.interpreter("old")
        assert builds == ["old"]
        assert broken(place, held.environments.lock("old")) is None

    def test_broken_is_built_again(self, held: Project, builds: list[str]) -> None:
        """A broken one is removed and built again, and the reason is told."""
        place = held.environments.place("old")
        site = install(place.folder)
        (site / "torch" / "__init__.py").write_text("")
        told: list[str] = []
        held.environments.interpreter("old", told.append)
        assert builds == ["old"]
        assert "building it again" in told[0]
        assert broken(place, held.environments.lock("old")) is None

    def test_no_room(self, tmp_path: Path, builds: list[str]) -> None:
        """A cache that cannot be made is an environment failure."""
        held = project(tmp_path)
        held.cache.write_text("a file")
        with pytest.raises(EnvironmentFailure, match="cannot be made"):
            held.environments.interpreter("old")
        assert builds == []

    @pytest.mark.usefixtures("builds")
    def test_remove(self, held: Project) -> None:
        """Everything that was built under a name is removed, and nothing of another name."""
        environments = held.environments
        environments.interpreter("old")
        environments.interpreter("new")
        assert environments.remove("old") == 1
        assert environments.remove("old") == 0
        assert environments.place("new").exists
        assert not environments.place("old").exists
        with pytest.raises(UsageError):
            environments.remove("odl")


class TestBuild:
    """The build itself, with uv played."""

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """The calls of uv; ``venv`` makes the folder as a whole one."""
        made: list[list[str]] = []

        def run(arguments: list[str], **_: Any) -> str:
            made.append(arguments)
            if arguments[0] == "venv":
                install(Path(arguments[-1]), mark=False)
            if "--requirement" in arguments:
                made.append(Path(arguments[-1]).read_text().splitlines())
            return ""

        monkeypatch.setattr(building, "run_uv", run)
        monkeypatch.setattr(building, "remembered", lambda executable, *_: interpreter(executable=executable))
        return made

    def test_layers(self, held: Project, calls: list[list[str]]) -> None:
        """torch first, without a hash; then the libraries exactly, with hashes; no dependency is chosen anew."""
        held.environments.interpreter("old")
        venv, torch, libraries, lines = calls
        assert venv[0] == "venv"
        assert "3.11" in venv
        assert torch[-1] == "torch==2.2.2"
        assert "--no-deps" in torch
        assert {"--no-deps", "--require-hashes"} <= set(libraries)
        assert lines[0].startswith("lightning==2.2.1")
        assert "--hash" in lines[1]
        assert held.environments.place("old").exists

    @pytest.mark.parametrize("step", [0, 1, 2])
    def test_fails(self, held: Project, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        """Whichever step fails: the cause is raised, nothing half-built is left, and the next try succeeds."""
        run: Callable[..., str] = vars(building)["run_uv"]
        fails = [True]

        def failing(arguments: list[str], **options: Any) -> str:
            if fails[0] and ["venv", "torch==2.2.2", "--requirement"][step] in arguments:
                raise EnvironmentFailure("no such release")
            return run(arguments, **options)

        monkeypatch.setattr(building, "run_uv", failing)
        with pytest.raises(EnvironmentFailure, match="no such release"):
            held.environments.interpreter("old")
        assert not held.environments.place("old").exists
        assert [path for path in held.environments.built.iterdir() if path.is_dir()] == []
        fails[0] = False
        held.environments.interpreter("old")
        assert held.environments.place("old").exists
        assert len(calls) >= 4

    def test_leftovers(self, held: Project, calls: list[list[str]]) -> None:
        """What a killed build left, partial or unmarked, is cleared away."""
        place = held.environments.place("old")
        install(place.folder, mark=False)
        (place.folder / "foreign").write_text("x")
        partial = place.folder.with_name(f"{place.folder.name}.partial-abc")
        partial.mkdir()
        held.environments.interpreter("old")
        assert not partial.exists()
        assert not (place.folder / "foreign").exists()
        assert calls

    def test_denied(self, tmp_path: Path, calls: list[list[str]]) -> None:
        """A lock with a denied release is never installed."""
        held = project(tmp_path)
        deny = [{"distribution": "lightning", "version": "2.2.1", "reason": "malicious upload", "date": "2026-04-30"}]
        old = Environment.model_validate(matrix().environments["old"].model_dump())
        denied = matrix().model_copy(
            update={"deny": matrix(deny=deny, environments={}).deny, "environments": {"old": old}}
        )
        environments = Environments(denied, held.locks, held.cache)
        with pytest.raises(EnvironmentFailure, match="is denied"):
            environments.interpreter("old")
        assert calls == []


def test_waiting_build_does_not_build_again(held: Project, builds: list[str]) -> None:
    """Who waited for a build takes its result."""
    threads = [threading.Thread(target=held.environments.interpreter, args=("old",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds == ["old"]
