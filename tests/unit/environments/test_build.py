"""Environments are built once, whole or not at all."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.environments import build as building
from repro.environments.build import Environments, disk_use
from repro.environments.place import BuildRecord, EnvironmentFolder
from repro.environments.torch_build import TorchBuild
from repro.environments.verify import find_damage
from repro.model.errors import EnvironmentFailure, RecordError, UsageError
from repro.model.matrix import Environment
from tests.unit.environments.installed import install
from tests.unit.factories import interpreter, matrix, project

BUILD = TorchBuild("2.2.2+cpu", "file:///folder/wheels", ("sha256:00",))


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was built, by a build that takes a moment and a probe that answers at once."""
    done: list[str] = []

    def build(environments: Environments, place: EnvironmentFolder, _notify: object) -> None:
        time.sleep(0.1)
        install(place.folder, others=environments.lock(place.name).libraries)
        done.append(place.name)

    monkeypatch.setattr(Environments, "_build", build)
    monkeypatch.setattr(building, "remembered", lambda executable, *_: interpreter(executable=executable))
    return done


class TestDiskUse:
    """Bytes, with hard links counted once."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> EnvironmentFolder:
        install(tmp_path / "env")
        return EnvironmentFolder("old", tmp_path / "env")

    def site(self, place: EnvironmentFolder) -> Path:
        return place.site

    def test_disk_use(self, place: EnvironmentFolder) -> None:
        """All bytes, and those that no other folder shares."""
        before = disk_use(place)
        os.link(self.site(place) / "torch" / "__init__.py", place.folder.parent / "cache")
        after = disk_use(place)
        assert after.total == before.total
        assert after.own == before.own - 6

    def test_disk_use_together(self, place: EnvironmentFolder, tmp_path: Path) -> None:
        """A file that two environments share by a hard link counts once for both."""
        counted: set[tuple[int, int]] = set()
        first = disk_use(place, counted)
        other = EnvironmentFolder("other", tmp_path / "other")
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

    def test_backend_is_a_name(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """What becomes part of a path is checked."""
        monkeypatch.setenv("UV_TORCH_BACKEND", "../../x")
        with pytest.raises(UsageError, match="a name such as cpu"):
            held.environments.place("old")

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
        assert find_damage(place, held.environments.lock("old")) is None

    def test_broken_is_built_again(self, held: Project, builds: list[str]) -> None:
        """A broken one is removed and built again, and the reason is told."""
        place = held.environments.place("old")
        site = install(place.folder)
        (site / "torch" / "__init__.py").write_text("")
        told: list[str] = []
        held.environments.interpreter("old", told.append)
        assert builds == ["old"]
        assert "building it again" in told[0]
        assert find_damage(place, held.environments.lock("old")) is None

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
    def calls(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """The calls of uv; ``venv`` makes the folder as a whole one."""
        made: list[list[str]] = []
        libraries = held.environments.lock("old").libraries

        def run(arguments: list[str], **_: Any) -> str:
            made.append(arguments)
            if arguments[0] == "venv":
                install(Path(arguments[-1]), mark=False, others=libraries)
            if "--requirement" in arguments:
                made.append(Path(arguments[-1]).read_text().splitlines())
            return ""

        monkeypatch.setattr(building, "run_uv", run)
        monkeypatch.setattr(building, "choose_torch", lambda *_: BUILD)
        monkeypatch.setattr(building, "remembered", lambda executable, *_: interpreter(executable=executable))
        return made

    def test_layers(self, held: Project, calls: list[list[str]]) -> None:
        """First torch, the chosen build by its hash; then the libraries, with hashes; nothing is resolved anew."""
        held.environments.interpreter("old")
        venv, torch, chosen, libraries, lines = calls
        assert venv[0] == "venv"
        assert "3.11" in venv
        assert "--no-project" in venv
        assert chosen == ["torch==2.2.2+cpu \\", "    --hash=sha256:00"]
        assert {"--no-deps", "--require-hashes"} <= set(torch)
        assert {"--no-deps", "--require-hashes"} <= set(libraries)
        assert lines[0].startswith("lightning==2.2.1")
        assert "--hash" in lines[1]
        assert held.environments.place("old").exists

    def test_record(self, held: Project, calls: list[list[str]]) -> None:
        """Where torch came from is recorded, with a digest of all lists of files."""
        place = held.environments.place("old")
        assert place.record == BuildRecord()
        held.environments.interpreter("old")
        record = place.record
        assert (record.torch, record.source) == ("2.2.2+cpu", "file:///folder/wheels")
        assert len(record.records) == 64
        assert calls

    def damage(self, monkeypatch: pytest.MonkeyPatch, times: int) -> list[list[str]]:
        """uv installs from a damaged cache so many times; returns its calls."""
        run: Callable[..., str] = vars(building)["run_uv"]
        made: list[list[str]] = []

        def damaging(arguments: list[str], **options: Any) -> str:
            made.append(arguments)
            answer = run(arguments, **options)
            if arguments[0] == "venv" and len([call for call in made if call[0] == "venv"]) <= times:
                (EnvironmentFolder("old", Path(arguments[-1])).site / "torch" / "__init__.py").write_text("x = 2\n")
            return answer

        monkeypatch.setattr(building, "run_uv", damaging)
        return made

    @pytest.mark.usefixtures("calls")
    def test_damaged_cache(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file of the right size and wrong content, linked from uv's cache: it is downloaded again, and named."""
        made = self.damage(monkeypatch, 1)
        notes: list[str] = []
        held.environments.interpreter("old", notes.append)
        assert ["cache", "clean", "--quiet", "torch"] in made
        assert "__init__.py was changed" in notes[1]
        assert find_damage(held.environments.place("old"), held.environments.lock("old"), thorough=True) is None

    @pytest.mark.usefixtures("calls")
    def test_damaged_source(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is damaged again after a new download is never called ready."""
        self.damage(monkeypatch, 2)
        with pytest.raises(EnvironmentFailure, match="was changed after it was installed, right after it was built"):
            held.environments.interpreter("old")
        assert not held.environments.place("old").exists

    @pytest.mark.parametrize("step", [0, 1, 2])
    def test_fails(self, held: Project, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        """Whichever step fails: the cause is raised, nothing half-built is left, and the next try succeeds."""
        run: Callable[..., str] = vars(building)["run_uv"]
        fails = [True]
        steps: list[Callable[[list[str]], bool]] = [
            lambda arguments: arguments[0] == "venv",
            lambda arguments: "--requirement" in arguments and "torch" in Path(arguments[-1]).read_text(),
            lambda arguments: "--requirement" in arguments and "torch" not in Path(arguments[-1]).read_text(),
        ]

        def failing(arguments: list[str], **options: Any) -> str:
            if fails[0] and steps[step](arguments):
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
        held = project(tmp_path / "denied")
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
