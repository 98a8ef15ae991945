"""What all matched pytests share: the cells of matrix.yaml and the claims of the record, each cell run once.

A test module names its failure, ``FAILURE = "lightning-19492"``, and states its signature in tests that take
``failing``, ``correct`` or ``backported``: results of the failure's default cells.  Its claims are tested without a
word: each must come to its published finding.  A ``conftest.py`` beside the modules imports the names below.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.launch.session import Session
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell
from repro.model.failure import Claim
from repro.model.verdict import Expectation
from repro.store.observations import Store
from repro.verdict.claims import ExaminedClaim, cells_of, examine
from repro.verdict.result import Result
from repro.verdict.status import expect

_PROJECT = pytest.StashKey[Project]()
FAILURE = "FAILURE"
"""The name by which a module says which failure it is about."""


def project_of(config: pytest.Config) -> Project:
    """The project under test: that of ``--repro-catalog`` or ``REPRO_CATALOG``, else our own."""
    if _PROJECT not in config.stash:
        catalog: Path | None = config.getoption("repro_catalog", default=None)
        config.stash[_PROJECT] = Project.here(catalog=catalog)
    return config.stash[_PROJECT]


def expected(project: Project, cell: Cell) -> Expectation:
    """What the record says of a cell, by the versions that its environment's lock holds."""
    versions = project.environments.lock(cell.environment.label).versions
    return expect(project.catalog[cell.failure].failure, cell, versions)


_WANTED: dict[str, Callable[[Project, Cell], bool]] = {
    "failing": lambda project, cell: cell.backport is None and expected(project, cell) is Expectation.REPRODUCED,
    "correct": lambda project, cell: cell.backport is None and expected(project, cell) is not Expectation.REPRODUCED,
    "backported": lambda _, cell: cell.backport is not None,
}


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item | pytest.Collector] | None:
    """A module that names its failure has one test a claim of the record, unless it writes its own."""
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
    project = project_of(metafunc.config)
    for fixture, wants in _WANTED.items():
        if fixture in metafunc.fixturenames:
            cells = default_cells(project.matrix, project.catalog, [name])
            chosen = [cell for cell in cells if wants(project, cell)]
            labels = [cell.label.removeprefix(f"{name} ") for cell in chosen]
            metafunc.parametrize(fixture, chosen, indirect=True, ids=labels)
    if "claim" in metafunc.fixturenames:
        claims = project.catalog[name].failure.claims
        metafunc.parametrize("claim", claims, indirect=True, ids=[claim.id for claim in claims])


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Keep the tests of a failure in one pytest-xdist worker: they share their cells."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, FAILURE):
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
    with WarmLauncher(limit=8) as launcher:  # cells come failure by failure: environments come back
        yield launcher


@pytest.fixture(scope="session")
def laboratory(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, warm: WarmLauncher) -> Laboratory:
    """One laboratory a process."""
    return Laboratory(Session(project_of(pytestconfig), Store(tmp_path_factory.mktemp("store")), warm=warm))


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
def claim(request: pytest.FixtureRequest, laboratory: Laboratory) -> ExaminedClaim:
    """A claim of the record, examined by running its evidence."""
    asked: Claim = request.param
    failure = project_of(request.config).catalog[request.module.FAILURE].failure
    only = failure.model_copy(update={"claims": (asked,), "surveys": ()})
    (examined,) = examine(only, laboratory.results(cells_of(only)))
    return examined


def test_claim(claim: ExaminedClaim) -> None:
    """The published finding is the one that the evidence computes."""
    told = [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
    assert claim.finding is claim.claim.verdict, told  # noqa: S101 - the assertion of every matched pytest
