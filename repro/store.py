"""Observations on disk: one file each, written whole, never changed.

``<root>/<failure>/<id>.json``; the id begins with the recipe's key, so that all observations of one
recipe lie together.  Concurrent runs write different files and cannot hurt one another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from repro.errors import StoreError
from repro.files import write_whole
from repro.observation import Observation

KEY_CHARACTERS = 12


@dataclass(frozen=True)
class Store:
    """A folder of observations."""

    root: Path

    def add(self, observation: Observation) -> Path:
        """Write an observation; raises StoreError if it cannot be written."""
        file = self.root / observation.cell.failure / f"{observation.id}.json"
        try:
            write_whole(file, observation.model_dump_json(indent=1, exclude_defaults=True) + "\n")
        except OSError as error:
            raise StoreError(f"{file}: cannot be written: {error.strerror}") from None
        return file

    def of_recipe(self, failure: str, recipe: str) -> list[Observation]:
        """The observations of one recipe, the oldest first."""
        found = [read(file) for file in self._files(failure, f"{recipe[:KEY_CHARACTERS]}-*.json")]
        return sorted(
            (observation for observation in found if observation.recipe == recipe),
            key=lambda observation: (observation.started, observation.id),
        )

    def newest_run(self, failure: str, recipe: str) -> list[Observation]:
        """The observations of one recipe that the newest command made: its repetitions."""
        found = self.of_recipe(failure, recipe)
        return [observation for observation in found if observation.run == found[-1].run]

    def __iter__(self) -> Iterator[Observation]:
        """All observations, by failure and id."""
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else []:
            if folder.is_dir():
                for file in self._files(folder.name, "*.json"):
                    yield read(file)

    def _files(self, failure: str, pattern: str) -> list[Path]:
        folder = self.root / failure
        return sorted(folder.glob(pattern)) if folder.is_dir() else []


def read(file: Path) -> Observation:
    """One stored observation; raises StoreError if it is damaged or of an unknown format."""
    try:
        return Observation.model_validate_json(file.read_bytes())
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{file}: {where}: {first['msg'].lower()}; remove or restore the file") from None
