"""Observations on disk: one file each, written whole, never changed.

``<root>/<failure>/<id>.json``; the id begins with the recipe's key, so that all observations of one
recipe lie together.  Concurrent runs write different files and cannot hurt one another.

Beside them ``<root>/verdicts.jsonl`` says which verdict was told of each, a line a verdict, the newest last:
a verdict is no part of an observation, and a better rule may change it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from repro.errors import StoreError
from repro.files import write_whole
from repro.model.failure import Lane
from repro.model.observation import FORMAT, Observation

KEY_CHARACTERS = 12
SEARCHES = "searches"
"""The folder of what searches found: no failure can have this name."""
TOLD = "verdicts.jsonl"


@dataclass(frozen=True)
class Store:
    """A folder of observations."""

    root: Path

    def add(self, observation: Observation) -> Path:
        """Write an observation; raises StoreError if it cannot be written."""
        file = self.root / observation.cell.failure / f"{observation.id}.json"
        # What has its default is left out, but never the format: without it nobody could read the file later.
        content = {"format": observation.format} | observation.model_dump(mode="json", exclude_defaults=True)
        try:
            write_whole(file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise StoreError(f"{file}: cannot be written: {error.strerror}") from None
        return file

    def remove(self, observation: Observation) -> None:
        """Remove an observation: only pruning does; raises StoreError."""
        file = self.root / observation.cell.failure / f"{observation.id}.json"
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{file}: cannot be removed: {error.strerror}") from None

    def record_verdict(self, observation_id: str, verdict: str) -> None:
        """Note which verdict was told of an observation; raises StoreError."""
        file = self.root / TOLD
        line = json.dumps({"format": 1, "id": observation_id, "verdict": verdict}) + "\n"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreError(f"{file}: cannot be written: {error.strerror}") from None

    def recorded_verdicts(self) -> dict[str, str]:
        """The verdict last told of each observation; a line that a crash cut off counts as not told."""
        found: dict[str, str] = {}
        try:
            lines = (self.root / TOLD).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return found
        except OSError as error:
            raise StoreError(f"{self.root / TOLD}: cannot be read: {error.strerror}") from None
        for line in lines:
            try:
                told = json.loads(line)
                found[told["id"]] = told["verdict"]
            except (ValueError, TypeError, KeyError):
                continue
        return found

    def by_key(self, failure: str) -> dict[str, list[Path]]:
        """The files of a failure's observations by the beginning of their recipe: its folder is listed once."""
        found: dict[str, list[Path]] = {}
        for file in self._files(failure, "*.json"):
            found.setdefault(file.name[:KEY_CHARACTERS], []).append(file)
        return found

    def of_recipe(self, failure: str, recipe: str, files: dict[str, list[Path]] | None = None) -> list[Observation]:
        """The observations of one recipe, the oldest first; ``files`` is what ``by_key`` told, if it was asked."""
        held = self.by_key(failure) if files is None else files
        found = [read_observation(file) for file in held.get(recipe[:KEY_CHARACTERS], [])]
        return sorted(
            (observation for observation in found if observation.recipe == recipe),
            key=lambda observation: (observation.started, observation.id),
        )

    def newest_run(self, failure: str, recipe: str, files: dict[str, list[Path]] | None = None) -> list[Observation]:
        """The observations of one recipe that the newest command made: its repetitions."""
        found = self.of_recipe(failure, recipe, files)
        return [observation for observation in found if observation.run == found[-1].run]

    def __iter__(self) -> Iterator[Observation]:
        """All observations, by failure and id."""
        for file in self.files():
            yield read_observation(file)

    def of_lane(self, lane: Lane) -> Iterator[Observation]:
        """All observations of a lane other than the default one, by failure and id."""
        stated = f'"lane": "{lane}"'.encode()
        for file in self.files():
            # Most are of the other lane: a look at the bytes is much quicker than reading them.
            content = _bytes(file)
            if stated in content:
                found = _observation(file, content)
                if found.cell.lane is lane:
                    yield found

    def files(self) -> Iterator[Path]:
        """The file of every observation, by failure and id."""
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else []:
            if folder.is_dir() and folder.name != SEARCHES:
                yield from self._files(folder.name, "*.json")

    def _files(self, failure: str, pattern: str) -> list[Path]:
        folder = self.root / failure
        return sorted(folder.glob(pattern)) if folder.is_dir() else []


def read_observation(file: Path) -> Observation:
    """One stored observation; raises StoreError if it is damaged or of an unknown format."""
    return _observation(file, _bytes(file))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}") from None


def _observation(file: Path, content: bytes) -> Observation:
    try:
        return Observation.model_validate_json(content)
    except ValidationError as error:
        found = _format(content)
        if found not in {None, FORMAT}:
            problem = f"is of format {found!r}, this version reads {FORMAT}; a newer repro wrote it"
            raise StoreError(f"{file}: {problem}") from None
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{file}: {where}: {first['msg'].lower()}; remove or restore the file") from None


def _format(content: bytes) -> object:
    """The format that a file states, whatever else is wrong with it; None where it states none."""
    try:
        stated = json.loads(content)
    except ValueError:
        return None
    return stated.get("format") if isinstance(stated, dict) else None
