"""Copies a user's script and the files beside it for a search, so that later edits do not change the answer."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.files import writing
from repro.model.errors import UsageError

MAX_BYTES = 256 << 20
MAX_FILES = 5000
SKIPPED = frozenset({".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", "wandb", "repro-runs"})
"""Folders that are not copied, like names that begin with a dot and compiled files."""
_OURS = re.compile(r"(rank\d+\.(log|jsonl|stacks[12])|job\.json|launcher\.log)$")
"""Names of files in a run's folder, which the script's own files must not have."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}\.py")


@dataclass(frozen=True)
class Snapshot:
    """A copy of a script's folder."""

    id: str
    folder: Path
    script: str
    """The file name of the script."""
    content: str
    """SHA-256 of all files, the arguments and the variables."""
    modules: frozenset[str]
    """The names of modules that the script could import from its own folder."""


def take(
    script: Path, into: Path, arguments: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Snapshot:
    """Copy a script and the files beside it below ``into``, unless the same copy exists.

    Links are kept and read in place.  Raises UsageError if the script is not a file, if the folder is too large, or if
    a name cannot be used.
    """
    if not script.is_file():
        raise UsageError(f"{script}: no such script")
    if not _NAME.fullmatch(script.name):
        raise UsageError(
            f"{script.name!r} cannot be run: a name of letters, digits and ._+-, ending in .py, is expected"
        )
    folder = script.resolve().parent
    files = _files(folder)
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
        digest.update(_content(file))
        digest.update(b"\0")
    for part in (script.name, *arguments, *(f"{key}={value}" for key, value in sorted((variables or {}).items()))):
        digest.update(f"{part}\0".encode("utf-8", "surrogateescape"))
    content = digest.hexdigest()
    stem = re.sub(r"[^a-z0-9]+", "-", script.stem.lower()).strip("-") or "script"
    name = f"script-{stem[:40].strip('-')}-{content[:10]}"
    made = into / name
    if not made.is_dir():
        _copy(files, made)
    return Snapshot(name, made, script.name, content, _modules(files, script.name))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """The files to copy, by their path below the folder; raises UsageError if they are too many or too large."""
    found: list[tuple[str, Path]] = []
    total = 0
    for file in _walk(folder):
        name = str(file.relative_to(folder))
        if _OURS.fullmatch(name):
            raise UsageError(f"{file}: a run writes a file of this name; rename it")
        found.append((name, file))
        total += 0 if file.is_symlink() else file.stat().st_size
        if total > MAX_BYTES or len(found) > MAX_FILES:
            raise UsageError(
                f"{folder} holds more than {MAX_BYTES >> 20} MiB or {MAX_FILES} files, and is copied for each run: "
                f"move the script into a folder of its own, and put a link there to what is large (it is read in place)"
            )
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = sorted(name for name in folders if _is_wanted(name) and name not in links)
        for name in (*files, *links):
            file = Path(place, name)
            if _is_wanted(name) and not name.endswith(".pyc") and (file.is_symlink() or file.is_file()):
                yield file


def _is_wanted(name: str) -> bool:
    return name not in SKIPPED and not name.startswith(".")


def _content(file: Path) -> bytes:
    try:
        return os.fsencode(file.resolve()) if file.is_symlink() else hashlib.sha256(file.read_bytes()).digest()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None


def _copy(files: Sequence[tuple[str, Path]], made: Path) -> None:
    with writing(made, UsageError):
        made.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=made.parent))
        try:
            for name, file in files:
                target = partial / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if file.is_symlink():
                    target.symlink_to(file.resolve())
                else:
                    shutil.copy(file, target)
            partial.rename(made)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _modules(files: Sequence[tuple[str, Path]], script: str) -> frozenset[str]:
    firsts = {name.split("/")[0] for name, _ in files if name != script}
    return frozenset(first.removesuffix(".py") for first in firsts if "/" not in first)
