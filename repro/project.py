"""Finds the files of a project: catalogue, matrix, locks, reports, and the cache of this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from platformdirs import user_cache_path

from repro import documents
from repro.catalog.loading import Catalog, load
from repro.environments.building import Environments
from repro.errors import Fault, RecordError
from repro.matrix.models import Environment, Matrix

PACKAGE = Path(__file__).resolve().parent


def cache_root() -> Path:
    """The folder for built environments and locks between processes; ``REPRO_CACHE`` moves it."""
    moved = os.environ.get("REPRO_CACHE")
    return Path(moved).expanduser().resolve() if moved else user_cache_path("repro-lab")


@dataclass(frozen=True)
class Project:
    """The files that a command works on; each is read when it is first needed."""

    failures: Path
    matrix_file: Path
    locks: Path
    reports: Path
    cache: Path
    derived: Mapping[str, Environment] = field(default_factory=dict)

    @classmethod
    def here(cls, reports: Path | None = None) -> "Project":
        """The project that this package belongs to: its repository, or what an installed wheel carries.

        ``REPRO_CATALOG`` names a catalogue elsewhere: a folder of failures, which may hold a ``matrix.yaml``
        and ``locks`` of its own.
        """
        root = PACKAGE.parent
        in_repository = (root / "matrix.yaml").is_file()
        matrix = (root if in_repository else PACKAGE) / "matrix.yaml"
        own = os.environ.get("REPRO_CATALOG")
        catalog = Path(own).expanduser().resolve() if own else None
        return cls(
            failures=catalog or PACKAGE / "failures",
            matrix_file=catalog / "matrix.yaml" if catalog and (catalog / "matrix.yaml").is_file() else matrix,
            locks=catalog / "locks" if catalog and (catalog / "locks").is_dir() else PACKAGE / "locks",
            reports=reports or (root if in_repository and not catalog else Path.cwd()) / "reports",
            cache=cache_root(),
        )

    @cached_property
    def catalog(self) -> Catalog:
        return load(self.failures)

    @cached_property
    def matrix(self) -> Matrix:
        """The matrix; raises RecordError also for names that it uses and nothing defines."""
        matrix = documents.read(Matrix, self.matrix_file)
        faults = [
            Fault(self.matrix_file, 0, f"runs.{failure}", f"environment {name!r} is not defined")
            for failure, runs in matrix.runs.items()
            for name in (*runs.environments, *runs.backports)
            if name not in matrix.environments
        ]
        if faults:
            raise RecordError(faults)
        return matrix

    @cached_property
    def environments(self) -> Environments:
        return Environments(self.matrix, self.locks, self.cache, self.derived)

    def deriving(self, environments: Mapping[str, Environment]) -> "Project":
        """The same project with environments that a search makes up."""
        return replace(self, derived=environments)
