"""The warm launcher is as truthful as torchrun: the same cells, the same verdict, the same signature.

The first cell of each failure, and of each expected verdict and world size; all with ``nox -s launchers``.  In the CUDA
lane all cells, where there are devices (``-m gpu``).  With ``--reports`` the runs stay: tests/bench/cuda_launchers.py
reads from them what the launchers cost.  With ``--stored`` the runs of a main job that has just run are compared, and a
cell that it did not run is skipped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.launch.session import Options, Session
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.testing.matched import parameter, placed_cells, stored, venue_of
from repro.testing.venue import expected
from repro.verdict.result import Result
from repro.verdict.signature import is_consequence

PROJECT = Project.here()
LAUNCHER = tuple((PACKAGE / "launch").glob("*.py"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cells of the CPU lane in their own environments, and those of the CUDA lane where the options say."""
    if "cell" not in metafunc.fixturenames:
        return
    venue = venue_of(metafunc.config)
    names = dict.fromkeys(cell.failure for cell in default_cells(PROJECT.matrix, PROJECT.catalog))
    placed = [item for name in names for item in placed_cells(venue, name) if item.cell.lane is Lane.CUDA]
    placed = [item for item in placed if may_be_warm(item.cell)]
    on_devices = [parameter(item.cell, item.cell.label, item) for item in placed]
    metafunc.parametrize("cell", [*cells_of_the_cpu(), *on_devices])


def may_be_warm(cell: Cell) -> bool:
    """False if the record names a launcher of its own, which is never replaced."""
    return PROJECT.catalog[cell.failure].failure.launcher(cell.factors).program == "torchrun"


def cells_of_the_cpu() -> Iterator[ParameterSet]:
    """All default cells; those for whose failure and kind others stand are marked."""
    represented: set[object] = set()
    for cell in filter(may_be_warm, default_cells(PROJECT.matrix, PROJECT.catalog, lane=Lane.CPU)):
        kinds = {cell.failure, (expected(PROJECT, cell), cell.world_size)}
        marks = [pytest.mark.xdist_group(cell.failure)]
        marks += [pytest.mark.whole] if kinds <= represented else []
        represented |= kinds
        yield pytest.param(cell, marks=marks, id=cell.label)


@pytest.fixture
def store(pytestconfig: pytest.Config, tmp_path: Path) -> Store:
    """Where the runs stay with ``--reports``, else a store of the test's own."""
    reports: Path | None = pytestconfig.getoption("repro_reports", default=None)
    return Store((reports or tmp_path) / "data")


@pytest.fixture
def by_torchrun(cell: Cell, pytestconfig: pytest.Config, store: Store) -> Result:
    """The result of the test's cell through torchrun: of a new run, or of a stored one with ``--stored``.

    The test is skipped where devices are too few.
    """
    venue, earlier = venue_of(pytestconfig), stored(pytestconfig)
    lacking = venue.devices.lack(cell.world_size) if cell.lane is Lane.CUDA else None
    if lacking:
        pytest.skip(lacking)
    options = Options(warm=False, fresh=earlier is None)
    (result,) = Session(venue.project, store, options, overlaid=venue.overlaid, earlier=earlier).run([cell])
    return result


@dataclass(frozen=True)
class WarmRuns(Store):
    """The warm runs of a store that were made since the launcher's code was written here: runs of this very code.

    After a checkout none is, but those of a main job that has just run.
    """

    def of_recipe(self, failure: str, recipe: str, files: dict[str, list[Path]] | None = None) -> list[Observation]:
        written = datetime.fromtimestamp(max(file.stat().st_mtime for file in LAUNCHER), UTC)
        found = super().of_recipe(failure, recipe, files)
        return [seen for seen in found if seen.launcher == "warm" and datetime.fromisoformat(seen.started) > written]


@pytest.fixture
def by_warm(by_torchrun: Result, pytestconfig: pytest.Config, warm: WarmLauncher, store: Store) -> Result:
    """The result of the same cell through the warm launcher: of a new run, or with ``--stored`` of one of this code."""
    venue, earlier = venue_of(pytestconfig), stored(pytestconfig)
    made = WarmRuns(earlier.root) if earlier else None
    if made and not made.of_recipe(by_torchrun.cell.failure, by_torchrun.newest.recipe):
        pytest.skip("the main job did not run it here; `nox -s launchers` compares all")
    session = Session(
        venue.project,
        WarmRuns(store.root),
        Options(fresh=earlier is None),
        warm=warm,
        overlaid=venue.overlaid,
        earlier=made,
    )
    (result,) = session.run([by_torchrun.cell])
    return result


DIFFERENCE = re.compile(r"(difference|differ by) \d\S*")
"""What an oracle measured within its tolerance: rounding, which differs from processor to processor."""


@dataclass(frozen=True)
class Shown:
    """What a run showed, without what differs from run to run or machine to machine: addresses, times, rounding."""

    verdict: str
    reason: str
    errors: tuple[tuple[str, str, str], ...]
    """Type, package and function of each rank's error, where it is the rank's own."""
    oracles: tuple[str | None, ...]
    versions: tuple[tuple[str, str], ...]


def shown(result: Result) -> Shown:
    """What a result showed; of a failure with a rate not how often, nor with which error, which timing decides."""
    if PROJECT.catalog[result.cell.failure].failure.rate is not None and result.verdict is Verdict.REPRODUCED:
        return Shown(result.verdict, "", (), (), versions_of(result))
    errors = []
    for rank in result.newest.ranks:
        # The loss of a peer shows in many ways, and which rank is the first to fail is chance.
        own = rank.error if rank.error and not is_consequence(rank.error) else None
        frame = own.innermost_library_frame if own else None
        errors.append((own.type if own else "", frame.package if frame else "", frame.function if frame else ""))
    return Shown(
        result.verdict,
        result.judgement.reason,
        tuple(errors),
        tuple(rank.oracle and without_rounding(rank.oracle) for rank in result.newest.ranks),
        versions_of(result),
    )


def without_rounding(oracle: str) -> str:
    """What a passed oracle says, without the difference that it measured."""
    return DIFFERENCE.sub(r"\1 ...", oracle)


def versions_of(result: Result) -> tuple[tuple[str, str], ...]:
    """The libraries that the first rank imported."""
    first = result.newest.ranks[0]
    return tuple(
        (name, first.imported[name].version)
        for name in ("torch", "lightning", "transformers", "accelerate")
        if name in first.imported
    )


def test_only_rounding_may_differ() -> None:
    """A stored run may be of another processor; what is not a difference within a tolerance is the same there."""
    one, other = (f"the update is that of the mean, relative difference {value}" for value in ("6.7e-07", "0.0e+00"))
    assert without_rounding(one) == without_rounding(other)
    for value in ("clip-small gives 2.5e-07", "the weights differ", "equal within 1e-05", "3 updates, 1.5"):
        assert without_rounding(value) == value


def test_same_verdict_and_signature(by_warm: Result, by_torchrun: Result) -> None:
    """A cell shows the same through both launchers."""
    assert by_torchrun.newest.launcher == "torchrun"
    # An import that fails cannot be made ahead: the warm launcher hands such a run to torchrun.
    fails_in_import = any(rank.error and rank.error.type == "ImportError" for rank in by_warm.newest.ranks)
    assert by_warm.newest.launcher == ("torchrun" if fails_in_import else "warm")
    assert shown(by_warm) == shown(by_torchrun)
    for cold, warm in zip(by_torchrun.newest.ranks, by_warm.newest.ranks, strict=True):
        assert set(cold.gates) == set(warm.gates)
