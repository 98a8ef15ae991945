"""What all matched pytests share: their cells come from matrix.yaml and the records, each cell runs once."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from _pytest.mark import ParameterSet

from repro.catalog.records import Claim
from repro.cell import Cell
from repro.claims import Examined, cells_of, examine
from repro.launch import WarmLauncher
from repro.matrix import default_cells
from repro.project import Project
from repro.result import Result
from repro.session import Session
from repro.store import Store
from repro.verdict import Expectation, expect

PROJECT = Project.here()


def expected(cell: Cell) -> Expectation:
    """What the record says of a cell, by the versions that its environment's lock holds."""
    lock = PROJECT.environments.lock(cell.environment)
    versions = {package.name: package.version for package in lock.packages}
    return expect(PROJECT.catalog[cell.failure].failure, cell, versions)


WANTED: dict[str, Callable[[Cell], bool]] = {
    "failing": lambda cell: cell.backport is None and expected(cell) is Expectation.REPRODUCED,
    "correct": lambda cell: cell.backport is None and expected(cell) is not Expectation.REPRODUCED,
    "backported": lambda cell: cell.backport is not None,
}


def every_cell() -> Iterator[ParameterSet]:
    """All default cells; those that another cell of the same failure and expectation stands for are marked."""
    represented = set()
    for cell in default_cells(PROJECT.matrix, PROJECT.catalog):
        kind = (cell.failure, expected(cell))
        marks = [pytest.mark.xdist_group(cell.failure)]
        marks += [pytest.mark.whole] if kind in represented else []
        represented.add(kind)
        yield pytest.param(cell, marks=marks, id=cell.label)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise ``failing``, ``correct``, ``backported`` with a failure's default cells, ``cell`` with all of them.

    ``claim`` runs through the record's claims.
    """
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", list(every_cell()))
    for fixture, wants in WANTED.items():
        if fixture in metafunc.fixturenames:
            name = metafunc.module.FAILURE
            cells = [cell for cell in default_cells(PROJECT.matrix, PROJECT.catalog) if cell.failure == name]
            chosen = [cell for cell in cells if wants(cell)]
            metafunc.parametrize(
                fixture, chosen, indirect=True, ids=[cell.label.removeprefix(f"{name} ") for cell in chosen]
            )
    if "claim" in metafunc.fixturenames:
        claims = PROJECT.catalog[metafunc.module.FAILURE].failure.claims
        metafunc.parametrize("claim", claims, indirect=True, ids=[claim.id for claim in claims])


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Keep the tests of a failure in one pytest-xdist worker: they share their cells."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "FAILURE"):
            item.add_marker(pytest.mark.xdist_group(item.module.FAILURE))


class Laboratory:
    """Runs cells with a store of its own, so that tests leave the reports alone; no cell runs twice."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._results: dict[str, Result] = {}

    def result(self, cell: Cell) -> Result:
        """The result of one cell."""
        return self.results([cell])[cell.label]

    def results(self, cells: Sequence[Cell]) -> dict[str, Result]:
        """The results of many cells by label."""
        missing = [cell for cell in cells if cell.label not in self._results]
        self._results |= {result.cell.label: result for result in self._session.run(missing)}
        return {cell.label: self._results[cell.label] for cell in cells}


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmLauncher]:
    """One warm launcher a process."""
    with WarmLauncher() as launcher:
        yield launcher


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory, warm: WarmLauncher) -> Laboratory:
    """One laboratory a process."""
    return Laboratory(Session(PROJECT, Store(tmp_path_factory.mktemp("store")), warm=warm))


@pytest.fixture
def failing(request: pytest.FixtureRequest, laboratory: Laboratory) -> Result:
    """The result of a cell on which the failure is documented."""
    return laboratory.result(request.param)


@pytest.fixture
def correct(request: pytest.FixtureRequest, laboratory: Laboratory) -> Result:
    """The result of a cell that passes its oracle, or that the library refuses in clear words."""
    return laboratory.result(request.param)


@pytest.fixture
def backported(request: pytest.FixtureRequest, laboratory: Laboratory) -> Result:
    """The result of a cell with a backport."""
    return laboratory.result(request.param)


@pytest.fixture
def by_warm(cell: Cell, laboratory: Laboratory) -> Result:
    """The result of the test's cell through the warm launcher."""
    return laboratory.result(cell)


@pytest.fixture
def claim(request: pytest.FixtureRequest, laboratory: Laboratory) -> Examined:
    """A claim of the record, examined by running its evidence."""
    asked: Claim = request.param
    failure = PROJECT.catalog[request.module.FAILURE].failure
    only = failure.model_copy(update={"claims": (asked,), "surveys": ()})
    (examined,) = examine(only, laboratory.results(cells_of(only)))
    return examined
