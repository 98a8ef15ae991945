"""What all matched pytests share: their cells come from matrix.yaml, each cell runs once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from repro.cell import Cell
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise ``failing``, ``correct`` and ``backported`` with the default cells of the module's FAILURE."""
    wanted: dict[str, Callable[[Cell], bool]] = {
        "failing": lambda cell: cell.backport is None and expected(cell) is Expectation.REPRODUCED,
        "correct": lambda cell: cell.backport is None and expected(cell) is not Expectation.REPRODUCED,
        "backported": lambda cell: cell.backport is not None,
    }
    for fixture, wants in wanted.items():
        if fixture in metafunc.fixturenames:
            failure = metafunc.module.FAILURE
            cells = [cell for cell in default_cells(PROJECT.matrix, PROJECT.catalog) if cell.failure == failure]
            marked = [
                # One group a cell: with pytest-xdist all tests of a cell stay in one worker, which runs it once.
                pytest.param(cell, id=cell.label.removeprefix(f"{failure} "), marks=pytest.mark.xdist_group(cell.label))
                for cell in cells
                if wants(cell)
            ]
            metafunc.parametrize(fixture, marked, indirect=True)


@pytest.fixture(scope="session")
def results() -> dict[str, Result]:
    """Results of the cells that ran in this process, by label."""
    return {}


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a store of its own: tests leave the reports alone."""
    folder: Path = tmp_path_factory.mktemp("store")
    return Session(PROJECT, Store(folder))


@pytest.fixture
def failing(request: pytest.FixtureRequest, session: Session, results: dict[str, Result]) -> Result:
    """The result of a cell on which the failure is documented."""
    return _result(request.param, session, results)


@pytest.fixture
def correct(request: pytest.FixtureRequest, session: Session, results: dict[str, Result]) -> Result:
    """The result of a cell that passes its oracle, or that the library refuses in clear words."""
    return _result(request.param, session, results)


@pytest.fixture
def backported(request: pytest.FixtureRequest, session: Session, results: dict[str, Result]) -> Result:
    """The result of a cell with a backport."""
    return _result(request.param, session, results)


def _result(cell: Cell, session: Session, results: dict[str, Result]) -> Result:
    if cell.label not in results:
        (results[cell.label],) = session.run([cell])
    return results[cell.label]
