"""The rows that every report shows: one for each cell, run or not.  Reads the store and runs nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from repro.catalog.catalog import Catalog
from repro.environments.build import Environments
from repro.environments.locks import Lock
from repro.launch.gates import GATES
from repro.model.affected import inapplicable
from repro.model.base import Strict
from repro.model.cell import Cell, Named
from repro.model.errors import StoreError
from repro.model.matrix import USUAL_PYTHON
from repro.store.answers import AnswerStore
from repro.store.observations import FailureRuns, Store
from repro.store.recipe import helpers, key_of_roles, recipe_of
from repro.verdict.result import Result, judge_repetitions

FORMAT: Literal[1] = 1


class Row(Strict):
    """A cell in a report."""

    cell: Cell
    not_run: str | None = None
    """If the cell was not run: the reason."""
    verdict: str | None = None
    status: str | None = None
    expected: str | None = None
    reason: str = ""
    evidence: str = ""
    where: str = ""
    rank: int | None = None
    k: int = 0
    n: int = 0
    versions: dict[str, str] = {}
    """The installed versions of torch and of the distributions that the record names."""
    python: str = ""
    gates: tuple[str, ...] = ()
    launcher: str = ""
    hardware: str = ""
    shared_cores: str = ""
    """``4 ranks on 2 cores``; empty if there were enough cores."""
    date: str = ""
    seconds: float | None = None
    observations: tuple[str, ...] = ()


class Report(Strict):
    """``matrix.json``: all rows of a matrix."""

    format: Literal[1] = FORMAT
    rows: tuple[Row, ...]


def row_of(result: Result, distributions: Iterable[str]) -> Row:
    """The row of a cell that was run."""
    newest = result.newest
    held = newest.installed.versions if newest.installed else {}
    machine = newest.hardware
    device = ", ".join(machine.accelerators) if machine.accelerators and result.cell.lane == "cuda" else ""
    return Row(
        cell=result.cell,
        verdict=result.verdict,
        status=result.status,
        expected=result.expectation,
        reason=result.judgement.reason,
        evidence=result.judgement.evidence,
        where=result.judgement.where,
        rank=result.judgement.rank,
        k=result.k,
        n=result.n,
        versions={name: held[name] for name in sorted({*distributions, "torch"}) if name in held},
        python=newest.installed.python if newest.installed else "",
        gates=tuple(sorted({gate for rank in newest.ranks for gate in rank.gates})),
        launcher=newest.launcher,
        hardware=f"{machine.system} {machine.machine}, {machine.cores} cores{f', {device}' if device else ''}",
        shared_cores=newest.shared_cores,
        date=newest.started,
        seconds=newest.seconds,
        observations=tuple(observation.id for observation in result.observations),
    )


@dataclass(frozen=True)
class Lookup:
    """Finds the newest stored result of a cell with today's sources and lock.

    It caches: make a new one when the store has grown.
    """

    catalog: Catalog
    environments: Environments
    store: Store
    _found: dict[str, Result | None] = field(default_factory=dict, repr=False, compare=False)
    _files: dict[str, dict[str, list[Path]]] = field(default_factory=dict, repr=False, compare=False)
    _helpers: dict[str, list[Path]] = field(default_factory=dict, repr=False, compare=False)
    _locks: dict[str, Lock] = field(default_factory=dict, repr=False, compare=False)

    def recipe(self, cell: Cell) -> str:
        """The recipe of this cell today; its environment must be one of the matrix."""
        roles = {role: self.lock(held.label).digest for role, held in cell.roles.items()}
        key = key_of_roles(self.lock(cell.environment.label).digest, roles)
        entry = self.catalog[cell.failure]
        if cell.failure not in self._helpers:
            self._helpers[cell.failure] = helpers(entry)
        return recipe_of(cell, entry, key, beside=self._helpers[cell.failure])

    def lock(self, name: str) -> Lock:
        """The lock of an environment, read once; raises the errors of ``Environments.lock``."""
        if name not in self._locks:
            self._locks[name] = self.environments.lock(name)
        return self._locks[name]

    def applies_not(self, cell: Cell) -> str | None:
        """Why the failure does not apply to the versions in the lock of the cell's environment, or None."""
        failure = self.catalog[cell.failure].failure
        reasons = (inapplicable(failure, self.lock(held.label).versions) for held in cell.environments)
        return next((reason for reason in reasons if reason), None)

    def result(self, cell: Cell) -> Result | None:
        """The runs of a cell by the newest command, judged now; None if there are none."""
        return self.as_stored(cell)

    def as_stored(self, cell: Cell) -> Result | None:
        """The same, not redacted."""
        known = self.environments.matrix.environments
        if not all(isinstance(held, Named) and held.name in known for held in cell.environments):
            return None
        if cell.label not in self._found:
            if cell.failure not in self._files:
                self._files[cell.failure] = self.store.by_key(cell.failure)
            failure = self.catalog[cell.failure].failure
            observations = self.store.deciding(failure, self.recipe(cell), self._files[cell.failure])
            found = judge_repetitions(failure, observations, asked=cell) if observations else None
            self._found[cell.label] = found
        return self._found[cell.label]

    def of(self, failure: str) -> Self:
        """A lookup for the cells of one failure, each stored file of which is read at most once."""
        return replace(self, store=FailureRuns(self.store.root, failure), _found={}, _files={}, _helpers={})

    def row(self, cell: Cell) -> Row:
        """The row of a cell: its newest stored run, or the reason why there is none."""
        result = self.as_stored(cell)
        if result is None:
            return Row(cell=cell, not_run=f"no run of these sources with this lock is stored{self._pythons(cell)}")
        return row_of(result, self.catalog[cell.failure].failure.concerns)

    def _pythons(self, cell: Cell) -> str:
        """The Python that a cell needs where it is not the usual one, which a machine may not have."""
        known = self.environments.matrix.environments
        needed = {known[held.label].python for held in cell.environments if held.label in known} - {USUAL_PYTHON}
        return f"; it needs Python {' and '.join(sorted(needed))}" if needed else ""


def gate_reasons(rows: Iterable[Row]) -> dict[str, tuple[str, str]]:
    """The gates that were lifted in any row: name -> what the library refuses, and why lifting it is safe."""
    lifted = {gate for row in rows for gate in row.gates}
    return {gate.name: (gate.refusal, gate.reason) for gate in GATES if gate.name in lifted}


def used_by_reports(reports: Path) -> frozenset[str]:
    """The ids of the observations that the matrix and the answers of searches use.

    Raises StoreError if a report cannot be read, since nothing may be removed then.
    """
    used: set[str] = set()
    matrix = reports / "matrix.json"
    if matrix.is_file():
        try:
            rows = Report.model_validate_json(matrix.read_bytes()).rows
        except (OSError, ValueError):
            raise StoreError(f"{matrix}: cannot be read; write it anew with `repro report`") from None
        used.update(name for row in rows for name in row.observations)
    for answer in AnswerStore(reports / "data"):
        used.update(name for fact in answer.all_tried for name in fact.observations)
    return frozenset(used)
