"""Builds environments from their locks: once, whole or not at all, however many processes ask."""

import csv
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock
from packaging.utils import canonicalize_name

from repro.environments.interpreter import Interpreter, remembered
from repro.environments.locks import Lock, header_of, read_lock, stale
from repro.environments.resolve import refuse_denied, resolve
from repro.environments.uv import run_uv
from repro.errors import EnvironmentFailure, Fault, RecordError, unknown
from repro.files import write_whole
from repro.model.matrix import Environment, Matrix

_MARK = "repro-environment.txt"
"""Written last: a folder without it is not finished."""
_ANSWER = "repro-interpreter.txt"
"""What the interpreter said of itself, and when its folder of libraries was last changed."""
_DERIVED = "derived"
"""How the folders of environments begin that a search makes up."""

Notify = Callable[[str], None]


def quiet(_text: str) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True)
class Place:
    """Where an environment of one lock stands on this machine."""

    name: str
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def exists(self) -> bool:
        return (self.folder / _MARK).is_file()


@dataclass(frozen=True)
class Environments:
    """The environments of a matrix, with their locks and the folder that they are built in."""

    matrix: Matrix
    locks: Path
    cache: Path
    derived: Mapping[str, Environment] = field(default_factory=dict)
    """Environments that a search makes up; they are resolved when they are first used, and kept in the cache."""
    base_locks: Path | None = None
    """Where the lock of an environment is that has none among ``locks``."""

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
        environment = self.derived[name]
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

    def place(self, name: str) -> Place:
        """Where the environment is or would be: its folder is named by its lock and its torch's source."""
        lock = self.lock(name)
        backend = os.environ.get("UV_TORCH_BACKEND", "")
        python = self.environment(name).python
        suffix = f"-{backend}" if backend else ""
        folder = _DERIVED if name in self.derived else name
        return Place(name, self.built / f"{folder}-py{python}-{lock.digest[:12]}{suffix}")

    def interpreter(self, name: str, notify: Notify = quiet) -> Interpreter:
        """The interpreter of a named environment, built if missing, rebuilt if broken.

        Raises EnvironmentFailure with the cause in one line.
        """
        place = self.place(name)
        lock = self.lock(name)
        if place.exists and not broken(place, lock):
            return _known(place, lock.digest)
        try:
            self.built.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailure(f"{self.built} cannot be made: {error.strerror}") from None
        with FileLock(f"{place.folder}.lock"):
            problem = broken(place, lock) if place.exists else None
            if problem:
                notify(f"{name}: {problem}; building it again")
                shutil.rmtree(place.folder)
            if not place.exists:
                notify(f"{name}: building")
                self._build(place)
            return _known(place, lock.digest)

    def _build(self, place: Place) -> None:
        lock = self.lock(place.name)
        refuse_denied(lock, self.matrix)
        python = self.environment(place.name).python
        for leftover in place.folder.parent.glob(f"{place.folder.name}.partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.rmtree(place.folder, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{place.folder.name}.partial-", dir=place.folder.parent))
        try:
            run_uv(["venv", "--quiet", "--clear", "--relocatable", "--python", python, str(partial)])
            target = Place(place.name, partial)
            install = ["pip", "install", "--quiet", "--no-deps", "--python", str(target.python)]
            packages = [package.text for package in lock.libraries]
            if lock.torch:
                run_uv([*install, lock.torch.without_hashes])
                if _wants_accelerator(target):
                    packages += [package.text for package in lock.accelerator]
            with tempfile.TemporaryDirectory() as folder:
                requirements = Path(folder) / "requirements.txt"
                requirements.write_text("\n".join(packages) + "\n")
                run_uv([*install, "--require-hashes", "--requirement", str(requirements)])
            (partial / _MARK).write_text(f"{place.name}\n{lock.digest}\n")
            partial.rename(place.folder)
        except OSError as error:
            raise EnvironmentFailure(f"{place.name} cannot be written: {error.strerror}") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def remove(self, name: str) -> int:
        """Remove what was built under a name, for any lock; returns the number of folders removed."""
        self.environment(name)
        return self._remove(name)

    def remove_derived(self) -> int:
        """Remove what searches had built; returns the number of folders removed."""
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


def _known(place: Place, digest: str) -> Interpreter:
    return remembered(place.python, place.name, digest, _site_packages(place), place.folder / _ANSWER)


def _site_packages(place: Place) -> Path:
    found = sorted(place.folder.glob("lib/python3.*/site-packages")) or [place.folder / "Lib" / "site-packages"]
    return found[0]


def _wants_accelerator(place: Place) -> bool:
    """Whether the torch build that was installed names accelerator packages among its needs."""
    for metadata in _site_packages(place).glob("torch-*.dist-info/METADATA"):
        return bool(re.search(r"^Requires-Dist: (nvidia-|cuda-|triton)", metadata.read_text(), re.MULTILINE))
    return False


def _recorded(site: Path) -> Iterator[tuple[str, int]]:
    """Every installed file with the size that its distribution's RECORD states."""
    # Texts: making tens of thousands of paths takes longer than asking for the files.
    place = f"{site}{os.sep}"
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                if len(row) == 3 and row[2]:  # noqa: PLR2004 - path, hash, size
                    yield place + row[0], int(row[2])


def _releases(site: Path) -> set[tuple[str, str]]:
    """Name and version of each installed distribution, without the local part that a build adds."""
    stems = [folder.name.removesuffix(".dist-info") for folder in site.glob("*.dist-info")]
    named = [stem.rpartition("-") for stem in stems]
    return {(canonicalize_name(name), version.partition("+")[0]) for name, _, version in named}


def broken(place: Place, lock: Lock) -> str | None:
    """What is wrong with a built environment, in one line, or None: files or distributions lost or changed."""
    site = _site_packages(place)
    if not place.python.exists():
        return "its interpreter is gone"
    held = _releases(site)
    for package in (*([lock.torch] if lock.torch else []), *lock.libraries):
        # What has a marker may not be meant for this machine.
        if ";" not in package.without_hashes and (package.name, package.version.partition("+")[0]) not in held:
            return f"{package.name} {package.version} is gone"
    try:
        for file, size in _recorded(site):
            try:
                found = os.stat(file).st_size  # noqa: PTH116
            except OSError:
                return f"{Path(file).name} is gone"
            if found != size:
                return f"{Path(file).name} has {found} bytes where {size} were installed"
    except (ValueError, OSError, csv.Error):
        return "a list of installed files is damaged"
    return None


@dataclass(frozen=True)
class DiskUse:
    """Bytes of an environment: all, and those that it shares with nobody (no other hard link)."""

    total: int
    own: int
    added: int
    """Those of files that no environment counted before it holds."""


def disk_use(place: Place, counted: set[tuple[int, int]] | None = None) -> DiskUse:
    """Disk use of a built environment; hard links to uv's cache are counted apart.

    ``counted`` are the files of environments counted before, by device and inode; this one's are added to it.
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
