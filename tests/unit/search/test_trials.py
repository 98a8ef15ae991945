"""The source of verdicts: builds ahead, runs one by one; environments and runs are made up."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.environments.build import Environments
from repro.environments.interpreter import Interpreter
from repro.launch.hardware import hardware
from repro.launch.run_cell import torchrun
from repro.launch.session import Options
from repro.launch.slurm.batches import SlurmOptions
from repro.model.cell import Cell
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Environment
from repro.model.observation import Observation
from repro.model.verdict import Side, Verdict
from repro.search import trials as module
from repro.search.trials import Trials
from repro.store.observations import Store
from repro.store.recipe import environment_key, recipe_of
from repro.verdict.result import Result, judge_repetitions
from tests.unit import factories

FAILURE = factories.failure()


class World:
    """Stands for the builder and the launcher."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.runs: list[str] = []
        self.launchers: list[str] = []
        self.refused: dict[str, str] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.gate: threading.Event | None = None
        self.lock = threading.Lock()

    def interpreter(self, environments: Environments, name: str) -> Interpreter:
        environments.environment(name)
        with self.lock:
            self.built.append(name)
        if self.gate is not None and name.startswith("slow"):
            self.gate.wait(5)
        if name in self.refused:
            raise EnvironmentFailure(self.refused[name])
        held = self.versions.get(name, factories.VERSIONS)
        return factories.interpreter(installed=factories.installed(held, name=name, lock=f"{name:0<64}"[:64]))

    def run_cell(
        self, cell: Cell, entry: Entry, interpreter: Interpreter, *, run: str, launch: object, **_: object
    ) -> Observation:
        self.runs.append(cell.environment.label)
        self.launchers.append("torchrun" if launch is torchrun else "warm")
        number = len(self.runs)
        recipe = recipe_of(cell, entry, environment_key(interpreter.installed))
        return factories.observation(
            factories.failed(0),
            factories.failed(1),
            id=f"{recipe[:12]}-20260101T000000Z-{number:06}",
            run=run,
            recipe=recipe,
            started=f"2026-01-01T00:00:{number:02}+00:00",
            hardware=hardware(),
            cell=cell,
            installed=interpreter.installed,
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def interpreter(environments: Environments, name: str, _tell: object) -> Interpreter:
        return made.interpreter(environments, name)

    monkeypatch.setattr(Environments, "interpreter", interpreter)
    monkeypatch.setattr("repro.launch.session.run_cell", made.run_cell)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return factories.project(tmp_path)


@pytest.fixture
def trials(project: Project, world: World) -> Iterator[Trials]:
    del world
    with Trials(project, FAILURE, Options(warm=False)) as made:
        yield made


def definition(version: str = "2.2.1") -> Environment:
    return Environment(cutoff="2024-03-28", pins={"torch": "2.2.2", "lightning": version}, why="test")


class TestAsk:
    def test_runs_an_environment_that_was_made_up(self, trials: Trials, world: World, project: Project) -> None:
        trials.define({"made up": definition()})
        fact = trials.ask("made up", "2.2.1")
        assert (fact.verdict, fact.side, fact.label) == (Verdict.REPRODUCED, Side.BAD, "2.2.1")
        assert world.runs == ["made up"]
        (stored,) = Store(project.reports / "data")
        assert fact.observations == (stored.id,)
        assert Store(project.reports / "data").recorded_verdicts() == {stored.id: "reproduced"}

    def test_is_built_once(self, trials: Trials, world: World) -> None:
        for _ in range(2):
            trials.ask("old", "x")
        assert world.built == ["old"]

    def test_what_does_not_resolve_is_a_skip_with_the_cause(
        self, trials: Trials, world: World, project: Project
    ) -> None:
        trials.define({"made up": definition()})
        world.refused["made up"] = "lightning 9 needs torch 9"
        fact = trials.ask("made up", "9")
        assert (fact.verdict, fact.side) == (Verdict.UNRUNNABLE, Side.SKIP)
        assert fact.reason == "lightning 9 needs torch 9"
        assert world.runs == []
        (stored,) = Store(project.reports / "data")
        assert stored.fault == "lightning 9 needs torch 9"

    def test_where_the_failure_does_not_apply_there_is_no_verdict(self, project: Project, world: World) -> None:
        shutil.rmtree(project.failures / FAILURE.id)
        factories.write_failure(project.failures, needs={"distributions": {"lightning": ">=2.2"}})
        world.versions["old"] = {"torch": "2.2.2", "lightning": "2.1.0"}
        with Trials(project, project.catalog[FAILURE.id].failure, Options(warm=False)) as trials:
            fact = trials.ask("old", "2.1.0")
        assert (fact.verdict, fact.side) == (None, Side.SKIP)
        assert fact.reason == "needs lightning>=2.2, found 2.1.0"

    def test_on_a_cluster(self, project: Project, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run is sent, with the means to build its environment here."""
        sent: list[tuple[str, object]] = []

        class Sent:
            def __init__(self, *given: object, provide: Callable[[str], object]) -> None:
                self.slurm, self.provide = given[-1], provide

            def run(self, cells: Sequence[Cell]) -> list[Result]:
                self.provide(cells[0].environment.label)
                sent.append((cells[0].environment.label, self.slurm))
                return [judge_repetitions(FAILURE, [factories.observation(cell=cells[0])])]

        monkeypatch.setattr(module, "Spread", Sent)
        slurm = SlurmOptions(partition="batch")
        with Trials(project, FAILURE, Options(), slurm=slurm) as trials:
            assert trials.ask("old", "1").verdict is Verdict.ABSENT
        assert (sent, world.built, world.runs) == ([("old", slurm)], ["old"], [])

    def test_builds_what_may_come_next_meanwhile(self, trials: Trials, world: World) -> None:
        trials.define({"a": definition("2.1.0"), "b": definition("2.1.1")})
        trials.ask("old", "x", ["a", "b"])
        deadline = time.monotonic() + 5
        while set(world.built) != {"old", "a", "b"} and time.monotonic() < deadline:
            time.sleep(0.01)
        assert set(world.built) == {"old", "a", "b"}
        assert world.runs == ["old"]

    def test_what_is_needed_now_does_not_stand_behind_what_may_be_needed(self, trials: Trials, world: World) -> None:
        names = ["slow 1", "slow 2", "late 1", "late 2"]
        trials.define({name: definition() for name in [*names, "now"]})
        world.gate = threading.Event()
        trials.prefetch(names)
        threading.Timer(0.2, world.gate.set).start()
        trials.ask("now", "x")
        assert world.built.index("now") == 2
        assert "late 1" not in world.built[:3]

    def test_repeats_through_torchrun_until_there_are_so_many_runs(self, project: Project, world: World) -> None:
        with Trials(project, FAILURE, Options(fresh=False)) as trials:
            fact = trials.repeat("old", "2.2.1", 3)
            assert [run.launcher for run in fact.runs] == ["torchrun"] * 3
            assert [run.reused for run in fact.runs] == [False] * 3
            assert world.launchers == ["torchrun"] * 3
            again = trials.repeat("old", "2.2.1", 5)
        assert [run.reused for run in again.runs] == [True] * 3 + [False] * 2
        assert len(world.runs) == 5

    def test_with_fresh_stored_runs_do_not_count_but_those_of_this_search_do(
        self, project: Project, world: World
    ) -> None:
        with Trials(project, FAILURE, Options(fresh=False)) as before:
            before.repeat("old", "2.2.1", 3)
        with Trials(project, FAILURE, Options(fresh=True)) as trials:
            assert not any(run.reused for run in trials.repeat("old", "2.2.1", 3).runs)
            again = trials.repeat("old", "2.2.1", 5)
            assert [run.reused for run in again.runs] == [False] * 2, "the first three are known"
        assert len(world.runs) == 3 + 3 + 2

    def test_reuses_what_is_stored(self, project: Project, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def found(*_: Any) -> list[Observation]:
            return [factories.observation(cell=factories.cell())]

        monkeypatch.setattr("repro.launch.session.Session._stored", found)
        with Trials(project, FAILURE, Options(warm=False, fresh=False)) as trials:
            assert trials.ask("old", "x").reused
        assert world.runs == []
