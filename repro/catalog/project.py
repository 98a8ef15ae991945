"""Finds the files of a project: catalogue, matrix, locks, reports, and the cache of this machine.

What reads them is imported when they are read: a command that prints cached texts reads none.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from repro.files import PACKAGE, catalog_elsewhere
from repro.model.errors import Fault, RecordError

if TYPE_CHECKING:
    from repro.catalog.catalog import Catalog, Entry
    from repro.environments.build import Environments
    from repro.environments.locks import Lock
    from repro.model.matrix import Environment, Matrix


def cache_root() -> Path:
    """The folder for built environments and locks between processes; ``REPRO_CACHE`` moves it."""
    moved = os.environ.get("REPRO_CACHE")
    return Path(moved).expanduser().resolve() if moved else user_cache_path("repro-lab")


@dataclass(frozen=True)
class Project:
    """The files that a command uses; each is read on first use."""

    failures: Path
    matrix_file: Path
    locks: Path
    reports: Path
    cache: Path
    derived: "Mapping[str, Environment]" = field(default_factory=dict)
    held: "Mapping[str, Lock]" = field(default_factory=dict)
    """Known locks of environments in ``derived``."""
    tests: Path | None = None
    """The folder of the matched pytests; an installed wheel carries none."""
    base: "Project | None" = None
    """For an external catalogue: the project whose environments and deny list it may use too."""
    own: "Entry | None" = None
    """A user's script, used instead of the catalogue."""

    @classmethod
    def here(cls, reports: Path | None = None, catalog: Path | None = None) -> "Project":
        """The project that this package belongs to: its repository, or what an installed wheel carries.

        ``catalog``, or ``REPRO_CATALOG``, names an external catalogue: a folder of failures, which may have its own
        ``matrix.yaml``, ``locks`` and ``tests``.  Its reports go to ``reports`` inside that folder, never among ours,
        since reports name failures.
        """
        root = PACKAGE.parent
        in_repository = (root / "matrix.yaml").is_file()
        own = cls(
            failures=PACKAGE / "failures",
            matrix_file=(root if in_repository else PACKAGE) / "matrix.yaml",
            locks=PACKAGE / "locks",
            reports=reports or (root if in_repository else Path.cwd()) / "reports",
            cache=cache_root(),
            tests=root / "tests" / "failures" if in_repository else None,
        )
        elsewhere = catalog_elsewhere(catalog)
        if elsewhere is None:
            return own
        return cls(
            failures=elsewhere,
            matrix_file=elsewhere / "matrix.yaml",
            locks=elsewhere / "locks",
            reports=reports or elsewhere / "reports",
            cache=own.cache,
            tests=elsewhere / "tests",
            base=own,
        )

    @property
    def example_logs(self) -> Path | None:
        """The folder of the logs that check ``seen_as`` of the records; None without tests."""
        if self.tests is None:
            return None
        return self.tests.parent / "data" / "logs" if self.base is None else self.tests / "logs"

    @cached_property
    def catalog(self) -> "Catalog":
        from repro.catalog.catalog import Catalog, load  # noqa: PLC0415 - slow, and not for every command

        if self.own is not None:
            return Catalog(self.own.folder, {self.own.failure.id: self.own})
        return load(self.failures, self.cache)

    @cached_property
    def own_matrix(self) -> "Matrix":
        """The content of the matrix file; an external catalogue needs one only to run something."""
        from repro.catalog.known_records import KnownRecords  # noqa: PLC0415 - slow, and not for every command
        from repro.model.matrix import Matrix  # noqa: PLC0415

        if self.base is not None and not self.matrix_file.is_file():
            return Matrix(format=1, environments={}, runs={})
        known = KnownRecords(self.matrix_file, self.cache)
        matrix = known.parsed(Matrix, self.matrix_file)
        known.save()
        return matrix.placed(self.matrix_file.parent.absolute())

    @cached_property
    def matrix(self) -> "Matrix":
        """The matrix; also raises RecordError for undefined names."""
        from pydantic import ValidationError  # noqa: PLC0415 - slow, and not for every command

        try:
            matrix = self.own_matrix if self.base is None else self.own_matrix.over(self.base.own_matrix)
        except ValidationError as error:  # a pin of one of them is on the deny list of the other
            problems = [str(item.get("ctx", {}).get("error", item["msg"])) for item in error.errors()]
            raise RecordError([Fault(self.matrix_file, 0, "environments", problem) for problem in problems]) from None
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
    def environments(self) -> "Environments":
        from repro.environments.build import Environments  # noqa: PLC0415 - slow, and not for every command

        other = self.base.locks if self.base else None
        return Environments(self.matrix, self.locks, self.cache, self.derived, self.held, other)

    def deriving(self, environments: "Mapping[str, Environment]") -> "Project":
        """The same project with the environments of a search."""
        return replace(self, derived=environments)

    def holding(self, locks: "Mapping[str, tuple[Environment, Lock]]") -> "Project":
        """The same project with more named environments and their locks."""
        derived = {**self.derived, **{name: environment for name, (environment, _) in locks.items()}}
        return replace(self, derived=derived, held={**self.held, **{name: lock for name, (_, lock) in locks.items()}})
