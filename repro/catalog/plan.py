"""Divides cells among machines by the seconds that they take: GitHub jobs and Slurm jobs alike.  Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from repro.catalog.catalog import Catalog
from repro.model.cell import Cell
from repro.model.failure import Failure

RUN_SECONDS = 18.0
"""The seconds of a cell that was never measured: a run through torchrun and a warm one, with torch on two cores."""
BUILD_SECONDS = 90.0
"""The seconds of building an environment with torch: most of them are the download."""
BUILT_SECONDS = 5.0
"""The seconds until the first run in an environment that is built already."""


@dataclass(frozen=True)
class Weights:
    """What is known of the seconds that cells and builds take."""

    measured: Mapping[str, float] = field(default_factory=dict)
    """The seconds of a cell, by its label."""
    built: frozenset[str] = frozenset()
    """The labels of the environments that are built already where the machines find them."""

    def build(self, environment: str) -> float:
        """The seconds until an environment is ready."""
        return BUILT_SECONDS if environment in self.built else BUILD_SECONDS

    def by_label(self, cells: Sequence[Cell], catalog: Catalog | None = None) -> dict[str, float]:
        """The seconds of each cell, by its label.

        A cell that was not measured takes as long as those of its failure in the middle, else what its record says.
        """
        others: dict[str, list[float]] = {}
        for cell in cells:
            if cell.label in self.measured:
                others.setdefault(cell.failure, []).append(self.measured[cell.label])
        found = {}
        for cell in cells:
            known = self.measured.get(cell.label)
            if known is None and cell.failure in others:
                known = median(others[cell.failure])
            if known is None:
                known = expected_seconds(catalog[cell.failure].failure if catalog else None)
            found[cell.label] = known
        return found


def expected_seconds(failure: Failure | None) -> float:
    """The seconds of a cell of which only the record is known: a hang lasts until its deadline."""
    waits = failure is not None and failure.signature.kind == "hang"
    return RUN_SECONDS + (failure.timeout if failure and waits else 0)


@dataclass
class _Piece:
    """Cells of one environment that stay together."""

    cells: list[Cell]
    seconds: float

    @property
    def environments(self) -> set[str]:
        return {environment.label for cell in self.cells for environment in cell.environments}


@dataclass
class _Machine:
    """The part of one machine while it is being filled."""

    pieces: list[_Piece]
    environments: set[str]
    seconds: float = 0.0


@dataclass(frozen=True)
class Part:
    """The cells of one machine, in the order in which they were given."""

    cells: tuple[Cell, ...]
    seconds: float
    """The expected seconds, builds included."""

    @property
    def environments(self) -> tuple[str, ...]:
        """The labels of the environments that it builds."""
        return tuple(dict.fromkeys(environment.label for cell in self.cells for environment in cell.environments))


def plan(
    cells: Sequence[Cell], count: int, weights: Weights | None = None, catalog: Catalog | None = None
) -> list[Part]:
    """At most ``count`` parts that end at about the same time, none empty; the same for the same arguments.

    The cells of an environment stay together, since each part builds it anew.  They are divided only while this lets
    the last parts end sooner, and never into a piece whose runs take less time than the build.
    """
    if not cells:
        return []
    known = weights or Weights()
    filled = _Planner(cells, count, known, known.by_label(cells, catalog)).best()
    order = {id(cell): index for index, cell in enumerate(cells)}
    made = []
    for machine in filled:
        held = sorted((cell for piece in machine.pieces for cell in piece.cells), key=lambda cell: order[id(cell)])
        made.append(Part(tuple(held), round(machine.seconds, 1)))
    return sorted(made, key=lambda part: order[id(part.cells[0])])


class _Planner:
    """Searches for the best division of some cells."""

    def __init__(self, cells: Sequence[Cell], count: int, weights: Weights, seconds: Mapping[str, float]) -> None:
        self._count = count
        self._weights = weights
        self._seconds = seconds
        self._held: dict[str, list[Cell]] = {}
        for cell in cells:
            self._held.setdefault(cell.environment.label, []).append(cell)

    def best(self) -> list[_Machine]:
        """The machines with their pieces, when dividing one more environment helps no longer."""
        pieces = dict.fromkeys(self._held, 1)
        best = self._filled(pieces)
        while True:
            last = max(best, key=lambda machine: machine.seconds)
            # Only a division of what the last one holds can let it end sooner.
            tried = [self._more(pieces, name) for name in self._divisible(last, pieces)]
            filled = [self._filled(numbers) for numbers in tried]
            ends = [_ends(machines) for machines in filled]
            if not ends or min(ends) >= _ends(best):
                return best
            found = ends.index(min(ends))
            best, pieces = filled[found], tried[found]

    @staticmethod
    def _more(pieces: Mapping[str, int], name: str) -> dict[str, int]:
        return {**pieces, name: pieces[name] + 1}

    def _divisible(self, machine: _Machine, pieces: Mapping[str, int]) -> list[str]:
        """The environments of a machine that may be divided once more."""
        found = []
        for name in sorted({piece.cells[0].environment.label for piece in machine.pieces}):
            more = pieces[name] + 1
            if more > min(self._count, len(self._held[name])):
                continue
            if min(piece.seconds for piece in self._divided(name, more)) >= self._weights.build(name):
                found.append(name)
        return found

    def _filled(self, pieces: Mapping[str, int]) -> list[_Machine]:
        """The machines with every piece on the one where it ends soonest, the longest piece first; none is empty."""
        made = [piece for name in sorted(self._held) for piece in self._divided(name, pieces[name])]
        made.sort(key=lambda piece: (-self._end(_Machine([], set()), piece), piece.cells[0].label))
        machines = [_Machine([], set()) for _ in range(max(1, min(self._count, len(made))))]
        for piece in made:
            ends = [self._end(machine, piece) for machine in machines]
            soonest = machines[ends.index(min(ends))]
            soonest.seconds = min(ends)
            soonest.pieces.append(piece)
            soonest.environments |= piece.environments
        return [machine for machine in machines if machine.pieces]

    def _end(self, machine: _Machine, piece: _Piece) -> float:
        """When a machine ends if it is given this piece too."""
        builds = sorted(piece.environments - machine.environments)
        return machine.seconds + piece.seconds + sum(self._weights.build(name) for name in builds)

    def _divided(self, name: str, number: int) -> list[_Piece]:
        """The cells of an environment in pieces of about equal seconds, the longest cell first."""
        pieces = [_Piece([], 0.0) for _ in range(number)]
        for cell in sorted(self._held[name], key=lambda cell: -self._seconds[cell.label]):
            shortest = min(pieces, key=lambda piece: piece.seconds)
            shortest.cells.append(cell)
            shortest.seconds += self._seconds[cell.label]
        return pieces


def _ends(machines: Sequence[_Machine]) -> list[float]:
    """When the machines end, the last first: of two equal ends, only the next one shows what is better."""
    return sorted((machine.seconds for machine in machines), reverse=True)
