"""Observations on disk: one file each, written atomically and never changed.

``<root>/<failure>/<id>.json``: an id begins with the key of its recipe, so the observations of one recipe sort
together.  Concurrent runs write different files and cannot disturb each other.  A file is one line of JSON, and its
large values are parts (``parts.py``).  Files of format 1, which have no parts, stay readable.

``<root>/verdicts.jsonl`` records the verdict of each observation, one per line, the newest last.  A verdict is not
part of an observation, because a better rule may change it.

A store may come from another machine, so its files are untrusted: only regular files of a bounded size are read, and
names in them are checked before they are used as paths.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from repro.files import path_inside, read_bytes_file, write_whole, writing
from repro.model.errors import StoreError, UnreadableFileError
from repro.model.failure import Failure, Lane
from repro.model.observation import FORMAT, Observation
from repro.store.joined import joined
from repro.store.parts import PARTS, Parts

KEY_CHARACTERS = 12
SEARCHES = "searches"
"""The folder for answers of searches; no failure may have this name."""
LOCKS = "locks"
"""The folder for locks of runs; no failure may have this name."""
VERDICTS = "verdicts.jsonl"
STORED_FORMAT = 2
"""The format of a stored file, whose large values are parts.  The observation read from it has ``FORMAT``."""
STORED_BYTES = 64 << 20
"""Larger stored files are not read."""


@dataclass(frozen=True)
class Store:
    """A folder of observations."""

    root: Path

    def _file(self, observation: Observation) -> Path:
        return path_inside(self.root, observation.cell.failure, f"{observation.id}.json")

    def add(self, observation: Observation) -> Path:
        """Write an observation; raises StoreError if it cannot be written."""
        file = self._file(observation)
        text = self._text(observation)
        with writing(file):
            write_whole(file, text)
        return file

    def _text(self, observation: Observation) -> str:
        """The content of an observation's file; writes its parts first, since the file names them."""
        # Defaults are left out, except the format, without which the file could not be read later.
        content = Parts.of_store(self.root).split(observation.model_dump(mode="json", exclude_defaults=True))
        return json.dumps({"format": STORED_FORMAT} | content, ensure_ascii=False) + "\n"

    def upgrade(self) -> int:
        """Rewrite every observation of an older format; returns how many.  Raises StoreError.

        The new form is read back and compared before it replaces the file.
        """
        count = 0
        for file in list(self.files()):
            if _stated(read_stored(file)).get("format") == STORED_FORMAT:
                continue
            held = read_observation(file)
            if self._file(held) != file:
                raise StoreError(f"{file}: holds the observation {held.id} of {held.cell.failure}")
            text = self._text(held)
            if _observation(file, text.encode()) != held:
                raise StoreError(f"{file}: would not be the same in the new format")
            with writing(file):
                write_whole(file, text)
            count += 1
        return count

    def remove(self, observation: Observation) -> None:
        """Remove an observation; used only for pruning.  Raises StoreError."""
        file = self._file(observation)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{file}: cannot be removed: {error.strerror}") from None

    def unnamed_parts(self) -> list[Path]:
        """The files of parts that no observation names, except recent ones, which a run in progress may need."""
        return Parts.of_store(self.root).unnamed(read_stored(file) for file in self.files())

    def record_verdict(self, observation_id: str, verdict: str) -> None:
        """Append the verdict of an observation; raises StoreError."""
        file = self.root / VERDICTS
        line = json.dumps({"format": 1, "id": observation_id, "verdict": verdict}) + "\n"
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)

    def recorded_verdicts(self) -> dict[str, str]:
        """The last recorded verdict of each observation; truncated or malformed lines are skipped."""
        found: dict[str, str] = {}
        file = self.root / VERDICTS
        if not file.exists():
            return found
        for line in read_stored(file).decode(errors="replace").splitlines():
            try:
                recorded = json.loads(line)
                name, verdict = recorded["id"], recorded["verdict"]
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
            if isinstance(name, str) and isinstance(verdict, str):
                found[name] = verdict
        return found

    def by_key(self, failure: str) -> dict[str, list[Path]]:
        """The files of a failure's observations by recipe key; its folder is listed once."""
        found: dict[str, list[Path]] = {}
        for file in self._files(failure):
            found.setdefault(file.name[:KEY_CHARACTERS], []).append(file)
        return found

    def of_recipe(self, failure: str, recipe: str, files: dict[str, list[Path]] | None = None) -> list[Observation]:
        """The observations of one recipe, the oldest first; ``files`` is the result of ``by_key``, if available."""
        return [head.observation for head in self._heads(failure, recipe, files)]

    def newest_first(
        self, failure: str, recipe: str, files: dict[str, list[Path]] | None = None
    ) -> Iterator[Observation]:
        """The observations of one recipe, the newest first; read lazily."""
        for head in reversed(self._heads(failure, recipe, files)):
            yield head.observation

    def newest_run(self, failure: str, recipe: str, files: dict[str, list[Path]] | None = None) -> list[Observation]:
        """The observations of one recipe by the newest command, which are its repetitions."""
        heads = self._heads(failure, recipe, files)
        return [head.observation for head in heads if head.run == heads[-1].run]

    def deciding(self, failure: Failure, recipe: str, files: dict[str, list[Path]] | None = None) -> list[Observation]:
        """The observations that decide a verdict today: those of the newest command.

        A failure with a rate is decided by all of its recipe: a command counts the stored runs, and adds what lacks.
        """
        runs = self.newest_run if failure.rate is None else self.of_recipe
        return runs(failure.id, recipe, files)

    def _heads(self, failure: str, recipe: str, files: dict[str, list[Path]] | None) -> "list[_Head]":
        """The files of one recipe, the oldest first."""
        held = self.by_key(failure) if files is None else files
        heads = [self._head(file) for file in held.get(recipe[:KEY_CHARACTERS], [])]
        return sorted((head for head in heads if head.recipe == recipe), key=lambda head: (head.started, head.id))

    def of_failure(self, failure: str) -> Iterator[Observation]:
        """All observations of a failure, by id."""
        for file in self._files(failure):
            yield read_observation(file)

    def _head(self, file: Path) -> "_Head":
        return _head(file)

    def __iter__(self) -> Iterator[Observation]:
        """All observations, by failure and id."""
        for file in self.files():
            yield read_observation(file)

    def of_lane(self, lane: Lane) -> Iterator[Observation]:
        """All observations of a lane other than the default one, by failure and id."""
        for file in self.files():
            # Most are of the default lane, and searching the bytes is much faster than parsing them.
            content = read_stored(file)
            if _may_be_of(lane, content):
                found = _observation(file, content)
                if found.cell.lane is lane:
                    yield found

    def files(self) -> Iterator[Path]:
        """The file of every observation, by failure and id."""
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else []:
            if folder.is_dir() and folder.name not in {SEARCHES, LOCKS, PARTS}:
                yield from self._files(folder.name)

    def _files(self, failure: str) -> list[Path]:
        folder = self.root / failure
        try:
            names = os.listdir(folder)  # noqa: PTH208 - `glob` takes several times as long
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [folder / name for name in sorted(names) if name.endswith(".json")]


@dataclass(frozen=True)
class FailureRuns(Store):
    """The store of one failure as it is when it is first read: each file is read at most once."""

    failure: str
    _listed: dict[str, list[Path]] = field(default_factory=dict, repr=False, compare=False)
    _known: dict[str, "_Head"] = field(default_factory=dict, repr=False, compare=False)

    def files(self) -> Iterator[Path]:
        yield from self._files(self.failure)

    def of_failure(self, failure: str) -> Iterator[Observation]:
        for file in self._files(failure):
            yield self._head(file).observation

    def __iter__(self) -> Iterator[Observation]:
        yield from self.of_failure(self.failure)

    def of_lane(self, lane: Lane) -> Iterator[Observation]:
        for file in self.files():
            head = self._head(file)
            if _may_be_of(lane, head.content) and head.observation.cell.lane is lane:
                yield head.observation

    def _files(self, failure: str) -> list[Path]:
        if failure not in self._listed:
            self._listed[failure] = super()._files(failure)
        return self._listed[failure]

    def _head(self, file: Path) -> "_Head":
        name = str(file)  # a path takes ten times as long to hash
        if name not in self._known:
            self._known[name] = _head(file)
        return self._known[name]


def _may_be_of(lane: Lane, content: bytes) -> bool:
    return f'"lane": "{lane}"'.encode() in content


def read_stored(file: Path) -> bytes:
    """The content of a stored file; raises StoreError unless it is a readable regular file of a bounded size."""
    try:
        return read_bytes_file(file, STORED_BYTES)
    except UnreadableFileError as error:
        raise StoreError(f"{error}; remove or restore the file") from None


@dataclass(frozen=True)
class _Head:
    """The small values of an observation's file; the large ones are slow to read."""

    file: Path
    content: bytes
    stated: dict[str, Any]
    recipe: str
    id: str
    run: str
    started: str

    @cached_property
    def observation(self) -> Observation:
        """The whole observation; raises StoreError."""
        return _observation(self.file, self.content, self.stated)


def _head(file: Path) -> _Head:
    content = read_stored(file)
    stated = _stated(content)
    words = [stated.get(name) for name in ("recipe", "id", "run", "started")]
    if not all(isinstance(word, str) for word in words):
        whole = _observation(file, content)  # raises with the reason
        words = [whole.recipe, whole.id, whole.run, whole.started]
    return _Head(file, content, stated, *map(str, words))


def read_observation(file: Path) -> Observation:
    """One stored observation; raises StoreError if it is damaged or of an unknown format."""
    return _observation(file, read_stored(file))


def _observation(file: Path, content: bytes, stated: dict[str, Any] | None = None) -> Observation:
    """The observation in a file; ``stated`` is the JSON object in ``content``, if it was parsed already."""
    stated = _stated(content) if stated is None else stated
    try:
        if stated.get("format") == STORED_FORMAT:
            return joined(Parts.of_store(file.parent.parent), stated)
        return Observation.model_validate_json(content)
    except ValidationError as error:
        found = stated.get("format")
        if found not in {None, FORMAT, STORED_FORMAT}:
            problem = f"is of format {found!r}, this version reads {FORMAT} and {STORED_FORMAT}; a newer repro wrote it"
            raise StoreError(f"{file}: {problem}") from None
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{file}: {where}: {first['msg'].lower()}; remove or restore the file") from None


def _stated(content: bytes) -> dict[str, Any]:
    """The JSON object in a file, valid or not as an observation; empty if there is none."""
    try:
        stated = from_json(content)  # half of the time that `json.loads` takes
    except ValueError:
        return {}
    return stated if isinstance(stated, dict) else {}
