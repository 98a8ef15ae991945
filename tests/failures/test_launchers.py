"""The warm launcher is as truthful as torchrun: the same cells, the same verdict, the same signature.

The first cell of each failure, and of each expected verdict and world size; all with ``nox -s launchers``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.launch.session import Options, Session
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.store.observations import Store
from repro.testing.matched import expected, stored
from repro.verdict.result import Result
from repro.verdict.signature import is_consequence

PROJECT = Project.here()


def every_cell() -> Iterator[ParameterSet]:
    """All default cells; those for whose failure and kind others stand are marked."""
    represented: set[object] = set()
    for cell in default_cells(PROJECT.matrix, PROJECT.catalog, lane=Lane.CPU):
        kinds = {cell.failure, (expected(PROJECT, cell), cell.world_size)}
        marks = [pytest.mark.xdist_group(cell.failure)]
        marks += [pytest.mark.whole] if kinds <= represented else []
        represented |= kinds
        yield pytest.param(cell, marks=marks, id=cell.label)


@pytest.fixture
def by_warm(cell: Cell, warm: WarmLauncher, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of a new run of the test's cell through the warm launcher."""
    (result,) = Session(PROJECT, Store(tmp_path_factory.mktemp("warm")), warm=warm).run([cell])
    return result


@pytest.fixture
def by_torchrun(cell: Cell, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of the test's cell through torchrun: of a new run, or of a stored one with ``--stored``."""
    earlier = stored(pytestconfig)
    options = Options(warm=False, fresh=earlier is None)
    (result,) = Session(PROJECT, Store(tmp_path_factory.mktemp("cold")), options, earlier=earlier).run([cell])
    return result


@dataclass(frozen=True)
class Shown:
    """What a run showed, without what differs from run to run: addresses, folders, times."""

    verdict: str
    reason: str
    errors: tuple[tuple[str, str, str], ...]
    """Type, package and function of each rank's error, where it is the rank's own."""
    oracles: tuple[str | None, ...]
    versions: tuple[tuple[str, str], ...]


def shown(result: Result) -> Shown:
    """What a result showed."""
    errors = []
    for rank in result.newest.ranks:
        # The loss of a peer shows in many ways, and which rank is the first to fail is chance.
        own = rank.error if rank.error and not is_consequence(rank.error) else None
        frame = own.innermost_library_frame if own else None
        errors.append((own.type if own else "", frame.package if frame else "", frame.function if frame else ""))
    first = result.newest.ranks[0]
    return Shown(
        result.verdict,
        result.judgement.reason,
        tuple(errors),
        tuple(rank.oracle for rank in result.newest.ranks),
        tuple(
            (name, first.imported[name].version)
            for name in ("torch", "lightning", "transformers", "accelerate")
            if name in first.imported
        ),
    )


@pytest.mark.parametrize("cell", list(every_cell()))
def test_same_verdict_and_signature(by_warm: Result, by_torchrun: Result) -> None:
    """A cell shows the same through both launchers."""
    assert by_torchrun.newest.launcher == "torchrun"
    assert by_warm.newest.launcher == "warm"
    assert shown(by_warm) == shown(by_torchrun)
    for cold, warm in zip(by_torchrun.newest.ranks, by_warm.newest.ranks, strict=True):
        assert set(cold.gates) == set(warm.gates)
