"""The shared part of matched pytests: the cells of matrix.yaml and the claims of the record; each cell runs once.

A test module names its failure, ``FAILURE = "lightning-19492"``, and checks the signature in tests that take
``failing``, ``correct`` or ``backported``: results of the failure's default cells.  Its claims are tested
automatically: each must have its published finding.  A ``conftest.py`` beside the modules imports the names below.

Every lane of the record is tested.  Tests of the CUDA lane are marked ``gpu`` and skipped where devices are too few.
``repro.testing.options`` adds options that run all of them on an existing interpreter or on a pack.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.launch.session import Options, Session, Silent
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.model.verdict import Expectation
from repro.store.observations import Store
from repro.testing.venue import PlacedCell, PlacedClaim, Venue
from repro.verdict.claims import ExaminedClaim, examine
from repro.verdict.result import Result

_PROJECT = pytest.StashKey[Project]()
_VENUE = pytest.StashKey[Venue]()
FAILURE = "FAILURE"
"""The variable with which a test module names its failure."""


def project_of(config: pytest.Config) -> Project:
    """The project under test: that of ``--repro-catalog`` or ``REPRO_CATALOG``, else our own."""
    if _PROJECT not in config.stash:
        catalog: Path | None = config.getoption("repro_catalog", default=None)
        config.stash[_PROJECT] = Project.here(catalog=catalog)
    return config.stash[_PROJECT]


def use_catalog(config: pytest.Config, folder: Path) -> None:
    """Test the catalogue in a folder, unless another is named by ``--repro-catalog`` or ``REPRO_CATALOG``.

    For the ``conftest.py`` in a catalogue's folder of tests.
    """
    if config.getoption("repro_catalog", default=None) is None and not os.environ.get("REPRO_CATALOG"):
        config.stash[_PROJECT] = Project.here(catalog=folder)


def venue_of(config: pytest.Config) -> Venue:
    """The venue by ``--overlay`` and ``--python``, by default the environments of the matrix."""
    if _VENUE not in config.stash:
        folder, python = (config.getoption(f"repro_{name}", default=None) for name in ("overlay", "python"))
        config.stash[_VENUE] = Venue(project_of(config), folder, python)
        config.addinivalue_line("markers", "gpu: needs a CUDA device; skipped, with the reason, where there is none")
    return config.stash[_VENUE]


_WANTED: dict[str, Callable[[PlacedCell], bool]] = {
    "failing": lambda placed: placed.cell.backport is None and placed.expectation is Expectation.REPRODUCED,
    "correct": lambda placed: placed.cell.backport is None and placed.expectation is not Expectation.REPRODUCED,
    "backported": lambda placed: placed.cell.backport is not None,
}


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item | pytest.Collector] | None:
    """Add one test for each claim of the record to a module that names its failure, unless it has its own."""
    if name != FAILURE or not isinstance(obj, str) or hasattr(collector.obj, test_claim.__name__):
        return None
    collector.obj.test_claim = test_claim
    made: list[pytest.Item | pytest.Collector] | None = collector.ihook.pytest_pycollect_makeitem(
        collector=collector, name=test_claim.__name__, obj=test_claim
    )
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise ``failing``, ``correct``, ``backported`` with default cells, ``claim`` with the record's claims."""
    if not hasattr(metafunc.module, FAILURE):
        return
    name: str = metafunc.module.FAILURE
    venue = venue_of(metafunc.config)
    for fixture, wants in _WANTED.items():
        if fixture in metafunc.fixturenames:
            chosen = [placed for placed in placed_cells(venue, name) if wants(placed)]
            metafunc.parametrize(
                fixture,
                [parameter(placed.cell, placed.cell.label.removeprefix(f"{name} "), placed) for placed in chosen],
                indirect=True,
            )
    if "claim" in metafunc.fixturenames:
        found = _claims(venue, name)
        metafunc.parametrize("claim", [parameter(item, label, item) for label, item in found.items()], indirect=True)


def placed_cells(venue: Venue, name: str) -> list[PlacedCell]:
    """The default cells of a failure in each of its lanes; several environments may share one interpreter."""
    project = venue.project
    cells = default_cells(project.matrix, project.catalog, [name])
    lanes = project.catalog[name].failure.needs.lanes
    placed = [venue.place(cell, lane) for lane in lanes for cell in cells]
    return list({item.cell.label: item for item in placed}.values())


def _claims(venue: Venue, name: str) -> dict[str, PlacedClaim]:
    """The claims in the lanes of their evidence, and claims with evidence of the CPU lane also in the CUDA lane."""
    failure = venue.project.catalog[name].failure
    found = {claim.id: venue.place_claim(failure, claim) for claim in failure.claims}
    if Lane.CUDA in failure.needs.lanes:
        again = [item.claim for item in found.values() if item.cells and item.lane is Lane.CPU]
        found |= {f"{claim.id} {Lane.CUDA}": venue.place_claim(failure, claim, Lane.CUDA) for claim in again}
    return found


def parameter(value: Cell | PlacedClaim, label: str, placed: PlacedCell | PlacedClaim) -> ParameterSet:
    """A test's parameter, marked ``gpu`` in the CUDA lane, and skipped if it cannot run."""
    marks = [pytest.mark.gpu] if value.lane is Lane.CUDA else []
    marks += [pytest.mark.skip(reason=placed.skip)] if placed.skip else []
    return pytest.param(value, id=label, marks=marks)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Keep the tests of a failure in one pytest-xdist worker, since they share cells."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, FAILURE):
            item.add_marker(pytest.mark.xdist_group(item.module.FAILURE))


class Skips(Silent):
    """Keeps why cells do not run here, by label."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def skipped(self, cell: Cell, reason: str) -> None:
        """Keep the reason."""
        self.reasons[cell.label] = reason


class Laboratory:
    """Runs cells with its own store, so that tests do not touch the reports; no cell runs twice.

    A test of a cell that cannot run here, whose Python is missing for one, is skipped with the reason.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._results: dict[str, Result] = {}
        self._skips = session.listener = Skips()

    def result(self, cell: Cell) -> Result:
        """The result of one cell."""
        return self.results([cell])[cell.label]

    def results(self, cells: Sequence[Cell]) -> dict[str, Result]:
        """The results of many cells by label."""
        missing = [cell for cell in cells if cell.label not in self._results]
        self._results |= {result.cell.label: result for result in self._session.run(missing)}
        for cell in cells:
            if cell.label in self._skips.reasons:
                pytest.skip(self._skips.reasons[cell.label])
        return {cell.label: self._results[cell.label] for cell in cells}


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmLauncher]:
    """One warm launcher a process."""
    with WarmLauncher(limit=8) as launcher:  # cells come failure by failure, so environments recur
        yield launcher


def stored(config: pytest.Config) -> Store | None:
    """The store of ``--stored``, whose runs replace new ones."""
    reports: Path | None = config.getoption("repro_stored", default=None)
    return Store(reports / "data") if reports else None


@pytest.fixture(scope="session")
def laboratory(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, warm: WarmLauncher) -> Laboratory:
    """One laboratory for each process; its observations are kept only with ``--reports``."""
    reports: Path | None = pytestconfig.getoption("repro_reports", default=None)
    store = Store(reports / "data" if reports else tmp_path_factory.mktemp("store"))
    venue, earlier = venue_of(pytestconfig), stored(pytestconfig)
    options = Options(fresh=earlier is None)
    return Laboratory(Session(venue.project, store, options, warm=warm, overlaid=venue.overlaid, earlier=earlier))


def _run(request: pytest.FixtureRequest, laboratory: Laboratory, cells: Sequence[Cell]) -> dict[str, Result]:
    """The results of the cells by label; the test is skipped if there are too few devices for one of them."""
    ranks = [cell.world_size for cell in cells if cell.lane is Lane.CUDA]
    lacking = venue_of(request.config).devices.lack(max(ranks)) if ranks else None
    if lacking:
        pytest.skip(lacking)
    return laboratory.results(cells)


@pytest.fixture
def result(request: pytest.FixtureRequest, laboratory: Laboratory) -> Result:
    """The result of the cell that is the fixture's parameter."""
    return _run(request, laboratory, [request.param])[request.param.label]


failing = correct = backported = result
"""Results of cells with the failure, of cells that are correct or refused, and of cells with a backport."""


@pytest.fixture
def claim(request: pytest.FixtureRequest, laboratory: Laboratory) -> ExaminedClaim:
    """A claim of the record, examined by running its evidence."""
    placed: PlacedClaim = request.param
    failure = project_of(request.config).catalog[request.module.FAILURE].failure
    only = failure.model_copy(update={"claims": (placed.claim,), "surveys": ()})
    results = _run(request, laboratory, list(placed.cells.values()))
    (examined,) = examine(only, {label: results[cell.label] for label, cell in placed.cells.items()})
    return examined


def test_claim(claim: ExaminedClaim) -> None:
    """The evidence gives the published finding."""
    evidence = [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
    assert claim.finding is claim.claim.verdict, evidence  # noqa: S101 - the assertion of every matched pytest
