"""The venue of tests' cells: the environments of ``matrix.yaml``, one interpreter, or a pack laid over it.

It also decides which cells and claims cannot run there and are skipped, with the reason.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter, find_interpreter, probe
from repro.environments.pack.manifest import Pack
from repro.environments.pack.overlay import lay, read_pack
from repro.launch.devices import Devices
from repro.model.affected import inapplicable, is_affected
from repro.model.cell import Adopted, Cell, Overlaid
from repro.model.errors import UsageError
from repro.model.failure import Claim, Failure, Lane
from repro.model.specifiers import PYTHON, with_python
from repro.model.verdict import Expectation
from repro.model.version import parsed_version
from repro.verdict.claims import cells_of
from repro.verdict.status import expect


def expected(project: Project, cell: Cell) -> Expectation:
    """The record's expectation for a cell, by the locks of its environments."""
    versions = _locked(project, cell.environment.label)
    return expect(project.catalog[cell.failure].failure, cell, versions, role_versions(project, cell))


def role_versions(project: Project, cell: Cell) -> dict[str, dict[str, str]]:
    """The locked versions in the environments of a cell's other roles."""
    return {role: _locked(project, held.label) for role, held in cell.roles.items()}


def _locked(project: Project, name: str) -> dict[str, str]:
    """The versions in an environment's lock, and that of its Python."""
    return with_python(project.environments.lock(name).versions, project.environments.environment(name).python)


@dataclass(frozen=True)
class PlacedCell:
    """A cell, adapted to a venue."""

    cell: Cell
    expectation: Expectation
    """The record's expectation for the versions at the venue."""
    skip: str | None
    """Why it cannot run there, or None."""


@dataclass(frozen=True)
class PlacedClaim:
    """A claim, with the cells that examine it at a venue."""

    claim: Claim
    cells: Mapping[str, Cell]
    """Label of the evidence's cell in the record -> the cell that runs instead."""
    skip: str | None

    @property
    def lane(self) -> Lane:
        """The CUDA lane if any of its cells needs devices."""
        return Lane.CUDA if any(cell.lane is Lane.CUDA for cell in self.cells.values()) else Lane.CPU


@dataclass(frozen=True)
class Venue:
    """The place where cells run."""

    project: Project
    folder: Path | None = None
    """A pack."""
    python: Path | None = None
    """An existing interpreter."""

    @property
    def moved(self) -> bool:
        """True if cells do not run in their own environments."""
        return self.folder is not None or self.python is not None

    @cached_property
    def pack(self) -> Pack | None:
        return read_pack(self.folder) if self.folder else None

    @cached_property
    def base(self) -> Interpreter:
        """The interpreter without the pack."""
        found = find_interpreter(self.python) if self.python else Path(sys.executable)
        return probe(found, Adopted(str(found)).label)

    @cached_property
    def devices(self) -> Devices:
        return Devices.here(self.project.cache / "devices")

    def check(self) -> None:
        """Raise UsageError or EnvironmentFailure if no cell can run on the pack or the interpreter."""
        here = self.base.installed.python
        if self.pack is not None and here.split(".")[:2] != self.pack.python.split("."):
            raise UsageError(f"--python {self.base.executable}: is Python {here}, the pack is for {self.pack.python}")

    def overlaid(self, wanted: Overlaid) -> Interpreter:
        """The interpreter with an environment of the pack laid over it."""
        if self.folder is None or self.pack is None:
            raise UsageError(f"{wanted.label}: no pack was given; name it with --overlay")
        over, cache = self.base.executable, self.project.cache
        return lay(self.folder, self.pack, wanted.name, over=over, cache=cache, called=wanted.label)

    def place(self, cell: Cell, lane: Lane) -> PlacedCell:
        """A cell of the matrix, adapted to this venue and a lane."""
        failure = self.project.catalog[cell.failure].failure
        there = self._moved_cell(cell, lane)
        if there is None:
            return PlacedCell(
                cell.model_copy(update={"lane": lane}), expected(self.project, cell), self._not_packed(cell)
            )
        versions = self._versions(there)
        expectation = expect(failure, there, versions, role_versions(self.project, cell))
        skip = inapplicable(failure, versions) if self.moved else None
        if self.moved and cell.roles:
            skip = f"its stages need environments of their own: {', '.join(sorted(cell.roles))}"
        if self.moved and cell.backport is not None and not is_affected(failure, versions):
            skip = skip or f"{_said(failure.judged_by, versions)} is not affected: the backport has nothing to cure"
        return PlacedCell(there, expectation, skip)

    def place_claim(self, failure: Failure, claim: Claim, lane: Lane | None = None) -> PlacedClaim:
        """A claim, adapted to this venue: in the lanes of its evidence, or in the given lane."""
        asked = cells_of(failure.model_copy(update={"claims": (claim,), "surveys": ()}))
        placed = {cell.label: self._moved_cell(cell, lane or cell.lane) for cell in asked}
        cells = {label: cell for label, cell in placed.items() if cell is not None}
        missing = next((cell for cell in asked if placed[cell.label] is None), None)
        if missing is not None:
            held = {cell.label: cell.model_copy(update={"lane": lane or cell.lane}) for cell in asked}
            return PlacedClaim(claim, held, self._not_packed(missing))
        pairs = [(_locked(self.project, cell.environment.label), self._versions(cells[cell.label])) for cell in asked]
        skip = next(filter(None, (inapplicable(failure, there) for _, there in pairs)), None) if self.moved else None
        return PlacedClaim(claim, cells, skip or (other_versions(failure, pairs) if self.moved else None))

    def _moved_cell(self, cell: Cell, lane: Lane) -> Cell | None:
        """The cell in that lane, on this venue's replacement of its environment; None if the pack does not have it."""
        if self.pack is not None:
            name = cell.environment.label
            environment = Overlaid(name) if name in self.pack.environments else None
            return cell.model_copy(update={"lane": lane, "environment": environment}) if environment else None
        adopted = {"environment": Adopted(str(self.base.executable))} if self.python else {}
        return cell.model_copy(update={"lane": lane, **adopted})

    def _not_packed(self, cell: Cell) -> str:
        return f"{cell.environment.label} is not in the pack {self.folder}"

    def _versions(self, cell: Cell) -> dict[str, str]:
        """The versions in the environment of a placed cell, before it is built or laid."""
        if isinstance(cell.environment, Overlaid) and self.pack is not None:
            wheels = self.pack.wheels_of(cell.environment.name)
            return self.base.installed.versions | {wheel.distribution: wheel.version for wheel in wheels}
        return self.base.installed.versions if self.moved else _locked(self.project, cell.environment.label)


def other_versions(failure: Failure, pairs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]]) -> str | None:
    """Why versions that differ from those of the evidence cannot examine a claim, or None if they can.  Pure.

    ``pairs`` are the versions of each evidence's lock and those at the venue.  They must agree on the distributions
    that decide who is affected, and on those that the evidence compares.  A library with the same version in all
    evidence may differ at the venue.
    """
    for name in failure.concerns:
        compared = len({locked.get(name) for locked, _ in pairs}) > 1
        for locked, there in pairs:
            same = _same_python if name == PYTHON else _same_release
            if (compared or name in failure.judged_by) and not same(locked.get(name), there.get(name)):
                return f"the evidence is about {_said([name], locked)}, and {_said([name], there)} is here"
    return None


def _said(names: Sequence[str], versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" if name in versions else f"no {name}" for name in names)


def _same_release(one: str | None, other: str | None) -> bool:
    return _public(one) == _public(other)


def _same_python(one: str | None, other: str | None) -> bool:
    """An environment states the series of its Python only."""
    return (one or "").split(".")[:2] == (other or "").split(".")[:2]


def _public(version: str | None) -> str | None:
    """A version without its local part, ``+cu130``."""
    parsed = parsed_version(version) if version else None
    return parsed.public if parsed else version
