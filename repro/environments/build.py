"""Builds environments from their locks: atomically, and once for any number of processes."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock

from repro.environments.development import refuse_source, source_requirement
from repro.environments.interpreter import FileState, Interpreter, remembered
from repro.environments.locks import Lock, Locked, header_of, read_lock, stale
from repro.environments.place import BuildRecord, EnvironmentFolder
from repro.environments.pythons import base_python
from repro.environments.resolve import refuse_denied, resolve
from repro.environments.torch_build import TorchBuild, choose_torch
from repro.environments.uv import run_uv, torch_backend
from repro.environments.verify import examine, find_damage, records_digest, state_of_files
from repro.files import write_whole, writing
from repro.model.development_version import read_source
from repro.model.errors import EnvironmentFailure, Fault, RecordError, unknown
from repro.model.matrix import Environment, Matrix

_ANSWER = "repro-interpreter.txt"
"""The interpreter's answer, and when its folder of libraries was last changed."""
_DERIVED = "derived"
"""The prefix of folders of environments that searches generate."""

Notify = Callable[[str], None]


def quiet(_text: str) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class Environments:
    """The environments of a matrix, with their locks and the folder of the builds."""

    matrix: Matrix
    locks: Path
    cache: Path
    derived: Mapping[str, Environment] = field(default_factory=dict)
    """Environments that a search generates; they are resolved on first use and kept in the cache."""
    held: Mapping[str, Lock] = field(default_factory=dict)
    """Known locks of environments in ``derived``, which are not resolved again."""
    base_locks: Path | None = None
    """The folder of locks for environments that have none in ``locks``."""

    @property
    def built(self) -> Path:
        """The folder of the built environments."""
        return self.cache / "environments"

    def environment(self, name: str) -> Environment:
        """The definition of an environment; raises UsageError for an unknown name."""
        if name in self.derived:
            return self.derived[name]
        if name not in self.matrix.environments:
            raise unknown("environment", name, self.matrix.environments)
        return self.matrix.environments[name]

    def _derived_lock(self, name: str) -> Lock:
        if name in self.held:
            return self.held[name]
        environment = self.derived[name]
        if not all(read_source(text).is_exact for text in environment.sources.values()):
            return resolve(name, environment, self.matrix)  # A branch may have moved since, and so may a wheel.
        key = hashlib.sha256("\n".join(header_of("", environment)).encode()).hexdigest()[:16]
        file = self.cache / "locks" / f"{key}.txt"
        if file.is_file():
            return read_lock(file)
        lock = resolve(name, environment, self.matrix)
        write_whole(file, lock.text)
        return lock

    def lock(self, name: str) -> Lock:
        """The lock of a named environment.

        Raises UsageError for an unknown name, RecordError for a missing, wrong or stale lock,
        EnvironmentFailure if a derived environment does not resolve.
        """
        if name in self.derived:
            return self._derived_lock(name)
        self.environment(name)
        file = self.locks / f"{name}.txt"
        if self.base_locks and not file.is_file() and (self.base_locks / file.name).is_file():
            file = self.base_locks / file.name
        lock = read_lock(file)
        problem = stale(lock, name, self.matrix.environments[name])
        if problem:
            raise RecordError([Fault(file, 0, "", problem, f"run `repro lock {name}`")])
        return lock

    def place(self, name: str) -> EnvironmentFolder:
        """The folder of the environment, built or not; it is named by the lock and the requested build of torch."""
        lock = self.lock(name)
        backend = torch_backend()
        python = self.environment(name).python
        suffix = f"-{backend}" if backend else ""
        folder = _DERIVED if name in self.derived else name
        return EnvironmentFolder(name, self.built / f"{folder}-py{python}-{lock.digest[:12]}{suffix}")

    def interpreter(self, name: str, notify: Notify = quiet) -> Interpreter:
        """The interpreter of a named environment; the environment is built if missing, rebuilt if damaged.

        Raises EnvironmentFailure with the cause in one line.
        """
        place = self.place(name)
        lock = self.lock(name)
        found = examine(place, lock) if place.exists else None
        if isinstance(found, FileState):
            return _known(place, lock.digest, found)
        try:
            self.built.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailure(f"{self.built} cannot be made: {error.strerror}") from None
        with FileLock(f"{place.folder}.lock"):
            problem = find_damage(place, lock) if place.exists else None
            if problem:
                notify(f"{name}: {problem}; building it again")
                shutil.rmtree(place.folder)
            if not place.exists:
                notify(f"{name}: building")
                self._build(place, notify)
            return _known(place, lock.digest)

    def _build(self, place: EnvironmentFolder, notify: Notify) -> None:
        lock = self.lock(place.name)
        refuse_denied(lock, self.matrix)
        base = base_python(self.environment(place.name).python)
        for leftover in place.folder.parent.glob(f"{place.folder.name}.partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.rmtree(place.folder, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{place.folder.name}.partial-", dir=place.folder.parent))
        try:
            with writing(place.name, EnvironmentFailure):
                target = EnvironmentFolder(place.name, partial)
                torch = self._install(target, lock, base)
                damage = find_damage(target, lock, thorough=True)
                if damage and damage.distribution:
                    # The damage is in uv's cache, from which it was linked: only a new download repairs it.
                    notify(f"{place.name}: {damage}; uv's cache is damaged: downloading {damage.distribution} again")
                    run_uv(["cache", "clean", "--quiet", damage.distribution])
                    torch = self._install(target, lock, base)
                    damage = find_damage(target, lock, thorough=True)
                if damage:
                    raise EnvironmentFailure(f"{place.name}: {damage}, right after it was built; nothing was kept")
                records = records_digest(target.site)
                built = BuildRecord(torch.version, torch.source, records) if torch else BuildRecord(records=records)
                target.finish(lock.digest, built)
                partial.rename(place.folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _install(self, target: EnvironmentFolder, lock: Lock, base: str) -> TorchBuild | None:
        """Install a lock into a new environment; returns the chosen build of torch, if the lock has torch."""
        run_uv(["venv", "--quiet", "--clear", "--no-project", "--relocatable", "--python", base, str(target.folder)])
        packages = [package.text for package in lock.libraries if not package.source]
        torch = self._install_torch(target, lock.torch) if lock.torch else None
        if torch and _wants_accelerator(target):
            packages += [package.text for package in lock.accelerator]
        install(target.python, packages)
        for package in lock.sources:
            if package != lock.torch:
                self._install_source(target, package)
        return torch

    def _install_torch(self, target: EnvironmentFolder, locked: Locked) -> TorchBuild:
        """Install the build that this machine chooses, or the wheel that the environment names."""
        if locked.source:
            self._install_source(target, locked)
            name, _, digest = locked.source.partition("#sha256=")
            return TorchBuild(locked.version, name, (f"sha256:{digest}",))
        torch = choose_torch(locked, target.python)
        install(target.python, [torch.requirement], hashes=bool(torch.hashes))
        return torch

    def _install_source(self, target: EnvironmentFolder, locked: Locked) -> None:
        environment = self.environment(target.name)
        try:
            install(target.python, [source_requirement(locked, environment)], hashes=False)
        except EnvironmentFailure as error:
            refuse_source(error, environment)
            raise

    def remove(self, name: str) -> int:
        """Remove all builds of a name, for any lock; returns the number of folders removed."""
        self.environment(name)
        return self._remove(name)

    def remove_derived(self) -> int:
        """Remove the builds of searches; returns the number of folders removed."""
        return self._remove(_DERIVED)

    def _remove(self, name: str) -> int:
        removed = 0
        for folder in self._folders(name):
            with FileLock(f"{folder}.lock"):
                shutil.rmtree(folder, ignore_errors=True)
            removed += 1
        return removed

    def _folders(self, name: str) -> list[Path]:
        pattern = re.compile(re.escape(name) + r"-py3\.\d+-[0-9a-f]{12}(-[a-z0-9]+)?$")
        if not self.built.is_dir():
            return []
        return [path for path in sorted(self.built.iterdir()) if path.is_dir() and pattern.match(path.name)]


def install(python: Path, requirements: Sequence[str], *, hashes: bool = True, dry: bool = False) -> None:
    """Install exactly these requirements, without their dependencies; raises EnvironmentFailure."""
    options = [*(["--require-hashes"] if hashes else []), *(["--dry-run"] if dry else [])]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        run_uv(
            ["pip", "install", "--quiet", "--no-deps", "--python", str(python), *options, "--requirement", str(file)]
        )


def _known(place: EnvironmentFolder, digest: str, state: FileState | None = None) -> Interpreter:
    found = remembered(place.python, place.name, digest, place.site, place.folder / _ANSWER)
    return replace(found, state=state or state_of_files(place.site))


def _wants_accelerator(place: EnvironmentFolder) -> bool:
    """True if the installed build of torch requires accelerator packages."""
    for metadata in place.site.glob("torch-*.dist-info/METADATA"):
        return bool(re.search(r"^Requires-Dist: (nvidia-|cuda-|triton)", metadata.read_text(), re.MULTILINE))
    return False


@dataclass(frozen=True)
class DiskUse:
    """The bytes of an environment: all, and those without another hard link."""

    total: int
    own: int
    added: int
    """The bytes of files that are in no environment counted before."""


def disk_use(place: EnvironmentFolder, counted: set[tuple[int, int]] | None = None) -> DiskUse:
    """The disk use of a built environment; files with other hard links are counted separately.

    ``counted`` holds the files of environments counted before, by device and inode; this one's files are added.
    """
    counted = set() if counted is None else counted
    total = own = added = 0
    for folder, _, files in os.walk(place.folder):
        for name in files:
            try:
                facts = os.lstat(os.path.join(folder, name))  # noqa: PTH118
            except OSError:
                continue
            total += facts.st_size
            own += facts.st_size if facts.st_nlink == 1 else 0
            if (facts.st_dev, facts.st_ino) not in counted:
                counted.add((facts.st_dev, facts.st_ino))
                added += facts.st_size
    return DiskUse(total, own, added)
