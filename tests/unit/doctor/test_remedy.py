"""The search for versions: what is resolved, run, refused and told; index, resolver and runs are made up."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from repro.doctor.remedy import MOST_TRIES, RemedySearch
from repro.doctor.stack.stack import Stack
from repro.environments.build import Environments
from repro.environments.interpreter import Interpreter
from repro.environments.locks import Lock, Locked
from repro.model.cell import Cell
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Environment
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.search.releases import IndexFile
from tests.unit import factories
from tests.unit.doctor.known import known

FAILURE = factories.failure(needs={"distributions": {"lightning": ">=2.1"}})
HELD = {"lightning": "2.2.1", "torch": "2.2.2+cpu", "numpy": "1.26.4", "mine": "0.1", "pip": "24.0", "triton": "2.2.0"}
INDEX = {"lightning": ["2.0.9", "2.1.0", "2.2.1", "2.2.2", "2.3.0", "2.6.2", "2.6.6"], "torch": ["2.2.2", "2.4.0"]}


def fetch(distribution: str) -> list[IndexFile]:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        IndexFile(f"{distribution}-{version}-py3-none-any.whl", version, "wheel", day)
        for version in INDEX[distribution]
    ]


class World:
    """Stands for the resolver, the builder and the launcher."""

    def __init__(self) -> None:
        self.asked: list[Environment] = []
        self.runs: list[str] = []
        self.unresolvable: dict[str, str] = {}
        self.resolved: dict[str, str] = {}
        self.ranks: Callable[[], Any] = lambda: (factories.rank(0), factories.rank(1))

    def lock(self, environments: Environments, name: str) -> Lock:
        environment = environments.environment(name)
        self.asked.append(environment)
        for part, problem in self.unresolvable.items():
            if part in [*environment.floating, *(f"{pin}=={held}" for pin, held in environment.pins.items())]:
                raise EnvironmentFailure(problem)
        versions = environment.preferred | environment.pins | self.resolved
        return Lock((), tuple(Locked(key, value, f"{key}=={value}") for key, value in versions.items()))

    def interpreter(self, environments: Environments, name: str) -> Interpreter:
        held = environments.environment(name).pins
        return factories.interpreter(installed=factories.installed(held, name=name))

    def run_cell(self, cell: Cell, _entry: object, interpreter: Interpreter, *, run: str, **_: object) -> Observation:
        self.runs.append(cell.environment.label)
        imported = {"lightning": factories.IMPORTED["lightning"].model_copy(
            update={"version": interpreter.installed.distributions["lightning"]}
        )}  # fmt: skip
        ranks = [item.model_copy(update={"imported": imported}) for item in self.ranks()]
        return factories.observation(*ranks, run=run, cell=cell, installed=interpreter.installed)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def lock(environments: Environments, name: str) -> Lock:
        return made.lock(environments, name)

    def interpreter(environments: Environments, name: str, _tell: object) -> Interpreter:
        return made.interpreter(environments, name)

    monkeypatch.setattr(Environments, "lock", lock)
    monkeypatch.setattr(Environments, "interpreter", interpreter)
    monkeypatch.setattr("repro.launch.session.run_cell", made.run_cell)
    return made


@pytest.fixture
def search(tmp_path: Path, world: World) -> RemedySearch:
    del world
    denied = {"distribution": "lightning", "version": "2.6.2", "reason": "malicious upload", "date": "2026-04-30"}
    project = factories.project(tmp_path, content={**factories.MATRIX, "deny": [denied]})
    return RemedySearch(project, Stack.of(HELD), "3.11", "2026-11-20", fetch, local=["mine"])


def test_found(search: RemedySearch, world: World) -> None:
    """The nearest release, resolved with all that is installed, and run."""
    world.resolved = {"numpy": "2.0.0"}
    sought = search.answer([FAILURE], [])
    assert sought.found is not None
    assert [change.text for change in sought.found.changes] == ["lightning 2.2.1 → 2.2.2"]
    assert [change.text for change in sought.found.carried] == ["numpy 1.26.4 → 2.0.0"]
    assert sought.found.verified
    assert [(item.failure, item.verdict) for item in sought.found.ran] == [(factories.FAILURE, Verdict.ABSENT)]
    assert sought.left_out == ("mine: was installed from an address",)
    (asked,) = {environment.model_dump_json() for environment in world.asked}
    environment = Environment.model_validate_json(asked)
    assert environment.pins == {"lightning": "2.2.2"}
    assert environment.floating == ("numpy", "torch")
    assert environment.preferred == {"numpy": "1.26.4", "torch": "2.2.2"}


def test_not_verified(search: RemedySearch, world: World) -> None:
    """Nothing is run where that is not wanted."""
    search.verify = False
    sought = search.answer([FAILURE], [])
    assert sought.found is not None
    assert not sought.found.verified
    assert world.runs == []


def test_does_not_resolve(search: RemedySearch, world: World) -> None:
    """The next one is tried, and the refusal is told; a denied release is never tried."""
    world.unresolvable = {"lightning==2.2.2": "needs another torch", "lightning==2.3.0": "needs another numpy"}
    sought = search.answer([FAILURE], [])
    assert sought.found is not None
    assert [change.after for change in sought.found.changes] == ["2.6.6"]
    assert [(item.changes[0].after, item.why) for item in sought.refused] == [
        ("2.2.2", "does not install: needs another torch"),
        ("2.3.0", "does not install: needs another numpy"),
    ]


@pytest.mark.parametrize(
    "problem",
    [
        "\u00d7 Failed to build `flash-attn==2.6.3`: the build backend returned an error",
        "Failed to download and build `flash-attn==2.6.3`",
    ],
)
def test_cannot_be_built(search: RemedySearch, world: World, problem: str) -> None:
    """A package that cannot be built ends the search at once, with its name: every other set would wait for it too."""
    world.unresolvable = {f"lightning=={version}": problem for version in ("2.2.2", "2.3.0", "2.6.6")}
    sought = search.answer([FAILURE], [])
    assert sought.found is None
    assert sought.why_none == "flash-attn cannot be built here: leave it out, or install what its build needs"
    assert (len(world.asked), len(sought.refused)) == (1, 1)


def test_what_moves_cannot_be_built(search: RemedySearch, world: World) -> None:
    """Another release of a package that moves may be built."""
    world.unresolvable = {"lightning==2.2.2": "Failed to build `lightning==2.2.2`"}
    sought = search.answer([FAILURE], [])
    assert sought.found is not None
    assert [change.after for change in sought.found.changes] == ["2.3.0"]


def test_still_fails(search: RemedySearch, world: World) -> None:
    """What the record calls mended and a run does not is refused."""
    world.ranks = lambda: (factories.failed(0), factories.failed(1))
    sought = search.answer([FAILURE], [])
    assert sought.found is None
    assert {item.why for item in sought.refused} == {f"still fails there: {factories.FAILURE}"}
    assert len(sought.refused) == 3
    assert "could be installed and shown" in sought.why_none


def test_unrunnable(search: RemedySearch, world: World) -> None:
    """What could not be run is told as the answer, and is not verified."""
    world.ranks = lambda: (factories.rank(0, started=False), factories.rank(1))
    sought = search.answer([FAILURE], [])
    assert sought.found is not None
    assert not sought.found.verified
    assert "never started" in sought.found.ran[0].why


def test_not_on_the_index(search: RemedySearch, world: World) -> None:
    """What the index does not have is left out, and said."""
    world.unresolvable = {"numpy": "Because numpy was not found in the package registry and you require numpy, ..."}
    sought = search.answer([FAILURE], [])
    assert sought.found is not None
    assert "numpy: the package index does not have it" in sought.left_out


def test_open(search: RemedySearch) -> None:
    """A failure of every release is named; the others are cured all the same."""
    every = known("torch-1", {"torch": ">=2"})
    sought = search.answer([every, FAILURE], [])
    assert sought.open == ("torch-1",)
    assert sought.found is not None
    alone = search.answer([every], [])
    assert (alone.found, alone.why_none) == (None, "no release is free of them")


def test_brings_others(search: RemedySearch) -> None:
    """A set that brings another failure is no answer: the nearest is named with what it brings."""
    begun = known("lightning-9", {"lightning": ">=2.2.2"})
    sought = search.answer([FAILURE], [begun])
    assert sought.found is None
    assert sought.why_none.endswith("the nearest, lightning 2.2.1 → 2.2.2, brings lightning-9")


def test_what_may_be_there_already_is_not_brought(search: RemedySearch) -> None:
    """A failure of which nothing is known now stands in the way only where other versions are free of it."""
    later = known("lightning-9", {"lightning": ">=2.2.2"}, lightning="2.2.2")
    sought = search.answer([FAILURE], [later])
    assert sought.found is not None
    assert sought.found.changes[0].after == "2.2.2"
    assert sought.found.step.unknown == ("lightning-9",)


def test_not_together(search: RemedySearch) -> None:
    """Two failures whose cures exclude one another."""
    begun = known("lightning-9", {"lightning": ">=2.2.1,<9"}, lightning="2.1")
    older = known("lightning-8", {"lightning": "<2.2.2"})
    sought = search.answer([older, begun], [])
    assert sought.why_none == "each alone can be cured by other versions, all together cannot"


def test_gives_up(search: RemedySearch, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for ever."""
    monkeypatch.setitem(INDEX, "lightning", ["2.2.1", *(f"2.2.{patch}" for patch in range(2, 40))])
    world.ranks = lambda: (factories.failed(0), factories.failed(1))
    sought = search.answer([FAILURE], [])
    assert len(sought.refused) == MOST_TRIES
    assert sought.why_none == f"gave up after {MOST_TRIES} sets of versions"
