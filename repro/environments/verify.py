"""Verifies a built environment against the RECORD of each distribution, which has every file's size and hash.

uv links files from its cache into environments, so a change in place also changes the cache and every other
environment.  Sizes are compared at every use.  Hashes are compared for all files after a build, on all cores (15 s
for 5 GB on two), and for a random sample at every use.  A file that several environments share is hashed once in a
process: most of a search builds environments that differ in one package.

While sizes are compared, the times and inodes of the files are read too: their digest is the *state* of the files, by
which a process that imported them earlier is known to have imported what is there now.
"""

import base64
import contextlib
import csv
import hashlib
import os
import random
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.environments.interpreter import FileState
from repro.environments.locks import Lock
from repro.environments.place import EnvironmentFolder

SAMPLE = 64
"""The number of small files whose hash is compared at each use."""
SAMPLE_BYTES = 256 << 10
"""The size of the largest small file."""
SAMPLED_BYTES = 32 << 20
"""The average number of bytes of larger files whose hash is compared at each use."""
MOST_HASHED = 200_000
"""The number of files whose hash is remembered: those of some ten different stacks."""
_INFO = ".dist-info"


@dataclass(frozen=True)
class Damage:
    """A problem of an environment, in one line."""

    text: str
    distribution: str | None = None
    """The distribution with the damaged file."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Recorded:
    """One installed file in its distribution's RECORD."""

    path: str
    """The path below the folder of distributions."""
    size: int
    sha256: str
    """URL-safe base64 without padding; empty for another algorithm."""
    distribution: str


def find_damage(place: EnvironmentFolder, lock: Lock, *, thorough: bool = False) -> Damage | None:
    """The first problem of a built environment (files lost, changed or added), or None.

    ``thorough`` compares the hashes of all files instead of a random sample.
    """
    found = examine(place, lock, thorough=thorough)
    return found if isinstance(found, Damage) else None


def examine(place: EnvironmentFolder, lock: Lock, *, thorough: bool = False) -> Damage | FileState:
    """The first problem of a built environment as ``find_damage`` finds it, or the state of its files."""
    if not place.python.exists():
        return Damage("its interpreter is gone")
    site = place.site
    held = {folder.name.removesuffix(_INFO) for folder in site.glob(f"*{_INFO}")}
    found = _distributions(held, lock)
    if found:
        return found
    try:
        recorded, digest = read_records(site, held)
    except (ValueError, OSError, csv.Error):
        return Damage("a list of installed files is damaged")
    stated = place.record.records
    if stated and stated != digest:
        return Damage("a list of installed files was changed")
    state = _State(digest)
    return (
        _incomplete(recorded, held)
        or _unrecorded(site, recorded)
        or _sizes(site, recorded, state)
        or _hashes(site, recorded if thorough else _sample(recorded))
        or state.seen()
    )


def state_of_files(site: Path) -> FileState | None:
    """The state of the files of all distributions, as ``examine`` returns it; None if they are damaged."""
    state = None
    with contextlib.suppress(ValueError, OSError, csv.Error):
        recorded, digest = read_records(site, (folder.name.removesuffix(_INFO) for folder in site.glob(f"*{_INFO}")))
        state = _State(digest)
        if _sizes(site, recorded, state):
            return None
    return state.seen() if state else None


class _State:
    """A digest over the lists of files, and the size, time and inode of each file.

    The time of the last change of an inode is no part of it: it changes with every other environment that has a link
    to the file.
    """

    def __init__(self, records: str) -> None:
        self._digest = hashlib.sha256(records.encode())
        self._began = time.monotonic()

    def add(self, found: os.stat_result) -> None:
        self._digest.update(b"%d %d %d\n" % (found.st_size, found.st_mtime_ns, found.st_ino))

    def seen(self) -> FileState:
        """The state, as of the moment before the first file was looked at."""
        return FileState(self._digest.hexdigest(), self._began)


def read_records(site: Path, stems: Iterable[str]) -> tuple[list[Recorded], str]:
    """Every installed file, and the SHA-256 of the lists; raises ValueError, OSError or csv.Error."""
    recorded = []
    digest = hashlib.sha256()
    for stem in sorted(stems):
        content = (site / f"{stem}{_INFO}" / "RECORD").read_bytes()
        digest.update(f"{stem} {len(content)}\n".encode() + content)
        for row in csv.reader(content.decode("utf-8").splitlines()):
            path, hashed, size = row
            if size:
                sha256 = hashed.removeprefix("sha256=") if hashed.startswith("sha256=") else ""
                recorded.append(Recorded(path, int(size), sha256, stem))
    return recorded, digest.hexdigest()


def records_digest(site: Path) -> str:
    """SHA-256 over the RECORD files of all distributions."""
    return read_records(site, (folder.name.removesuffix(_INFO) for folder in site.glob(f"*{_INFO}")))[1]


def installed_torch(site: Path) -> str:
    """The installed version of torch with the label of its build; empty if torch is not installed."""
    return next((folder.name.removesuffix(_INFO).partition("-")[2] for folder in site.glob(f"torch-*{_INFO}")), "")


def _release(stem: str) -> tuple[str, str]:
    """The name and version in the name of a distribution's folder, without the label of the build."""
    name, _, version = stem.rpartition("-")
    return canonicalize_name(name), version.partition("+")[0]


def _distributions(stems: Collection[str], lock: Lock) -> Damage | None:
    held = {_release(stem) for stem in stems}
    for package in (*([lock.torch] if lock.torch else []), *lock.libraries):
        # A requirement with a marker may not be meant for this machine.
        if ";" not in package.without_hashes and (package.name, package.version.partition("+")[0]) not in held:
            return Damage(f"{package.name} {package.version} is gone", package.name)
    locked = {package.name for package in lock.packages}
    extra = sorted(name for name, _ in held if name not in locked)
    return Damage(f"{extra[0]} is installed and not in its lock") if extra else None


def _incomplete(recorded: Iterable[Recorded], stems: Iterable[str]) -> Damage | None:
    """The damage if a list does not even contain its distribution's own METADATA."""
    named = {item.path for item in recorded}
    for stem in stems:
        if f"{stem}{_INFO}/METADATA" not in named:
            return Damage(f"the list of the files of {stem} is incomplete", _release(stem)[0])
    return None


def _unrecorded(site: Path, recorded: Iterable[Recorded]) -> Damage | None:
    """The damage if there is a module, package or ``.pth`` file that no distribution installed."""
    known = {item.path.partition("/")[0] for item in recorded}
    for entry in sorted(os.listdir(site)):  # noqa: PTH208 - names only
        if entry not in known and not entry.endswith(_INFO) and _is_run(site / entry):
            return Damage(f"{entry} is there and belongs to no distribution")
    return None


def _is_run(entry: Path) -> bool:
    """True if Python would run or import it; empty folders of uninstalled distributions do not count."""
    return entry.suffix in {".pth", ".py", ".so", ".pyd"} or (entry / "__init__.py").is_file()


def _sizes(site: Path, recorded: Iterable[Recorded], state: _State) -> Damage | None:
    # Strings, since creating tens of thousands of Path objects takes longer than the checks.
    folder = f"{site}{os.sep}"
    for item in recorded:
        try:
            found = os.stat(folder + item.path)  # noqa: PTH116
        except (OSError, ValueError):
            return _damaged(item, f"{Path(item.path).name} is gone")
        if found.st_size != item.size:
            return _damaged(item, f"{Path(item.path).name} has {found.st_size} bytes where {item.size} were installed")
        state.add(found)
    return None


def _sample(recorded: Iterable[Recorded]) -> list[Recorded]:
    """Every ``.pth`` file and a random choice of other files."""
    small: list[Recorded] = []
    large: list[Recorded] = []
    for item in recorded:
        (small if item.size <= SAMPLE_BYTES else large).append(item)
    first = [item for item in small if item.path.endswith(".pth")]
    chance = SAMPLED_BYTES / max(1, sum(item.size for item in large))
    return [
        *first,
        *random.sample(small, min(SAMPLE, len(small))),
        *(item for item in large if random.random() < chance),
    ]


def _hashes(site: Path, recorded: Iterable[Recorded]) -> Damage | None:
    # The largest files first, so that none is left at the end; hashing releases the interpreter lock.
    stated = sorted((item for item in recorded if item.sha256), key=lambda item: -item.size)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda item: _changed(site, item), stated):
            if found:
                pool.shutdown(wait=False, cancel_futures=True)
                return found
    return None


@dataclass(frozen=True)
class _StoredFile:
    """What is the same for all names of one file, as long as nobody writes to it."""

    device: int
    inode: int
    size: int
    modified: int
    path: str = field(compare=False)


@lru_cache(maxsize=MOST_HASHED)
def _digest(file: _StoredFile) -> bytes:
    """The SHA-256 of a file.  uv links environments to one copy of a package: it is read once, not once for each."""
    with Path(file.path).open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _changed(site: Path, item: Recorded) -> Damage | None:
    path = f"{site}{os.sep}{item.path}"
    try:
        facts = os.stat(path)  # noqa: PTH116
        digest = _digest(_StoredFile(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, path))
    except OSError:
        return _damaged(item, f"{Path(item.path).name} cannot be read")
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != item.sha256.rstrip("="):
        return _damaged(item, f"{Path(item.path).name} was changed after it was installed")
    return None


def _damaged(item: Recorded, text: str) -> Damage:
    return Damage(text, _release(item.distribution)[0])
