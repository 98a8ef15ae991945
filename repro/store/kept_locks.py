"""The locks of stored runs: ``<data>/locks/<digest>.txt``.

The lock of a floating environment is resolved at the run and not committed.  It is kept here under the digest that
its observations state, so that the run can be repeated.  A file may come from another machine, so its size is bounded,
and each line must be a pin with hashes before anything is installed from it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.environments.locks import Lock, Locked, parse_lock, read_header
from repro.files import read_text_file, write_whole, writing
from repro.model.errors import StoreError, UnreadableFileError, unknown
from repro.model.matrix import Environment
from repro.store.observations import LOCKS

_FIRST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.!+_-]*( ; [A-Za-z0-9_.'\"()<>=!~, -]+)?( \\)?")
_HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
LEAST_DIGITS = 8
"""The shortest abbreviation of a digest that names a lock, if it is unique."""


@dataclass(frozen=True)
class KeptLock:
    """A lock with the environment in its header."""

    name: str
    environment: Environment
    lock: Lock


@dataclass(frozen=True)
class KeptLocks:
    """The locks of a store."""

    data: Path

    @property
    def folder(self) -> Path:
        return self.data / LOCKS

    def put(self, lock: Lock) -> Path:
        """Keep a lock; an existing one with the same digest is not changed.  Raises StoreError."""
        file = self.folder / f"{lock.digest}.txt"
        if not file.exists():
            with writing(file):
                write_whole(file, lock.text)
        return file

    def files(self) -> list[Path]:
        """The file of every lock."""
        return sorted(self.folder.glob("*.txt")) if self.folder.is_dir() else []

    def get(self, digest: str) -> KeptLock:
        """The lock whose digest begins with this; raises UsageError if none or several match, StoreError if damaged."""
        names = {file.stem: file for file in self.files()}
        found = [name for name in names if len(digest) >= LEAST_DIGITS and name.startswith(digest)]
        if len(found) != 1:
            raise unknown("kept lock", digest, names)
        return read_kept_lock(names[found[0]])

    def __iter__(self) -> Iterator[KeptLock]:
        """Every lock; raises StoreError at a damaged one."""
        for file in self.files():
            yield read_kept_lock(file)

    def problems(self) -> list[str]:
        """The problems of the files, one line each."""
        found = []
        for file in self.files():
            try:
                read_kept_lock(file)
            except StoreError as error:
                found.append(str(error))
        return found

    def prune(self, used: frozenset[str], *, dry: bool = False) -> list[str]:
        """Remove the locks that no observation used; returns their digests.  Raises StoreError."""
        gone = [file for file in self.files() if file.stem not in used]
        for file in gone if not dry else []:
            with writing(file):
                file.unlink(missing_ok=True)
        return [file.stem for file in gone]


def read_kept_lock(file: Path) -> KeptLock:
    """A kept lock; raises StoreError unless each line is a pin with hashes and the file's name is its digest."""
    try:
        lock = parse_lock(read_text_file(file))
        name, environment = read_header(lock)
        for package in lock.packages:
            _check(package)
    except UnreadableFileError as error:
        raise StoreError(f"{error}; remove or restore the file") from None
    except ValueError as error:
        problem = " ".join(str(error).split())[:200]
        raise StoreError(f"{file}: is no lock: {problem}; remove or restore the file") from None
    if not _DIGEST.fullmatch(file.stem) or lock.digest != file.stem:
        raise StoreError(f"{file}: holds the lock {lock.digest}; remove or restore the file")
    return KeptLock(name, environment, lock)


def _check(package: Locked) -> None:
    first, *others = package.text.splitlines()
    if not _FIRST.fullmatch(first) or not all(_HASH.fullmatch(line) for line in others):
        raise ValueError(f"{package.name} is not a pin with hashes")
    if not others:
        raise ValueError(f"{package.name} has no hash")
