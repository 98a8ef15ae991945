"""What a spread does with its jobs, against a queue of ours: the node's part is played by the test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.launch.session import Options
from repro.launch.slurm import spread as module
from repro.launch.slurm.batches import Allocation, SlurmOptions
from repro.launch.slurm.job_state import JobState
from repro.launch.slurm.queue import QueueFullError
from repro.launch.slurm.spool import STORE, NodeEvent, append_event, read_batch
from repro.launch.slurm.spread import Spread
from repro.model.cell import Adopted, Cell
from repro.model.errors import EnvironmentFailure, NoPythonError, UsageError
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from repro.verdict.result import Result
from tests.unit.factories import cell, failed, observation, project

Node = Callable[[Path, list[Cell]], JobState | None]
"""Plays a node: writes what it likes, and returns the state of its job; None if Slurm knows it no longer."""


class Queue:
    """Plays Slurm: each submitted job is run at once by the node."""

    def __init__(self, node: Node, full: int = 0) -> None:
        self.node = node
        self.full = full
        self.submitted: list[list[str]] = []
        self.cancelled: list[tuple[str, ...]] = []
        self.known: dict[str, JobState] = {}

    def __call__(self, *_: object) -> "Queue":
        return self

    def submit(self, folder: Path, _allocation: Allocation) -> str:
        if self.full:
            self.full -= 1
            raise QueueFullError("QOSMaxSubmitJobPerUserLimit")
        cells = list(read_batch(folder).cells)
        self.submitted.append([made.environment.label for made in cells])
        job = str(len(self.submitted))
        state = self.node(folder, cells)
        if state is not None:
            self.known[job] = state
        return job

    def states(self) -> dict[str, JobState] | None:
        return self.known

    def cancel(self, *jobs: str) -> None:
        self.cancelled.append(jobs)

    def break_off(self) -> None: ...


class Heard:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def progress(self, text: str) -> None:
        self.texts.append(text)

    def started(self, cell: Cell) -> None: ...

    def finished(self, result: Result) -> None: ...

    def skipped(self, cell: Cell, reason: str) -> None:
        self.texts.append(f"{cell.label}: {reason}")


def shown(made: Cell) -> Observation:
    """The documented failure, seen on that cell."""
    return observation(failed(0), failed(1), id=f"abcdef012345-{made.environment.label}", cell=made, run="r1")


def leave(folder: Path, made: Cell) -> None:
    """What a node leaves of a cell that has run."""
    seen = shown(made)
    append_event(folder, NodeEvent(event="started", cell=made.label))
    Store(folder / STORE).add(seen)
    append_event(folder, NodeEvent(event="finished", cell=made.label, observations=(seen.id,)))


def good(folder: Path, cells: list[Cell]) -> JobState:
    for made in cells:
        leave(folder, made)
    append_event(folder, NodeEvent(event="ended"))
    return JobState("COMPLETED")


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    for name in ("POLL_SECONDS", "STATE_SECONDS", "SETTLE_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(module, name, 0.01)
    return Heard()


CELLS = [cell(environment="old"), cell(environment="new")]


def run(
    held: Project, heard: Heard, queue: Queue, monkeypatch: pytest.MonkeyPatch, cells: list[Cell] = CELLS
) -> list[Result]:
    monkeypatch.setattr(module, "SlurmQueue", queue)
    store = Store(held.reports / "data")
    # One job for all, since the cells are few against a build.
    return Spread(held, store, Options(), heard, SlurmOptions(jobs=1), run_name="r1").run(cells)


def test_results(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the cells, judged here, and stored; the files of the jobs are removed."""
    queue = Queue(good)
    found = run(held, heard, queue, monkeypatch)
    assert [result.cell for result in found] == CELLS
    assert [result.verdict for result in found] == [Verdict.REPRODUCED, Verdict.REPRODUCED]
    store = Store(held.reports / "data")
    assert len(list(store)) == 2
    assert set(store.recorded_verdicts().values()) == {"reproduced"}
    assert not (held.cache / "slurm" / "r1").exists()


def test_a_full_queue(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(held, heard, Queue(good, full=2), monkeypatch)
    assert len(found) == 2
    assert heard.texts[0] == "slurm: 1 jobs wait to be submitted: QOSMaxSubmitJobPerUserLimit"


def test_a_lost_node(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell that had finished keeps its verdict; the one that was running is sent again, once."""

    def dies(folder: Path, cells: list[Cell]) -> JobState:
        first, *others = cells
        if others:
            leave(folder, first)
        append_event(folder, NodeEvent(event="started", cell=cells[-1].label))
        return JobState("NODE_FAIL", nodes="n7")

    queue = Queue(dies)
    done, lost = run(held, heard, queue, monkeypatch)
    assert queue.submitted == [["old", "new"], ["new"]]
    assert done.verdict is Verdict.REPRODUCED
    assert lost.verdict is Verdict.UNRUNNABLE
    assert lost.newest.fault == "not run on the cluster: its node failed; sent again: its node failed"
    assert ("1",) in queue.cancelled
    assert "slurm: job 1 on n7 left 1 cells without a result: its node failed; 1 sent again" in heard.texts
    assert "files of the lost jobs" in heard.texts[-1]


def test_it_succeeds_when_sent_again(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def second(folder: Path, cells: list[Cell]) -> JobState | None:
        calls.append(folder)
        return good(folder, cells) if len(calls) > 1 else None

    found = run(held, heard, Queue(second), monkeypatch, CELLS[:1])
    assert [result.verdict for result in found] == [Verdict.REPRODUCED]
    assert "Slurm knows its job no longer" in str(heard.texts)


def test_a_session_that_failed_on_its_node(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said is shown, and not stored: it may name a machine's folders."""

    def fails(folder: Path, _cells: list[Cell]) -> JobState:
        append_event(folder, NodeEvent(event="ended", text="/home/me: cannot be written"))
        return JobState("FAILED")

    (lost,) = run(held, heard, Queue(fails), monkeypatch, CELLS[:1])
    assert "(/home/me: cannot be written)" in str(heard.texts)
    assert lost.verdict is Verdict.UNRUNNABLE
    assert "/home/me" not in str(lost.newest.fault)


@pytest.mark.parametrize("lie", ["another cell", "another run", "nothing", "an unknown id"])
def test_a_node_that_lies(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """A verdict is only ever made of a whole observation of that cell by this run."""

    def lies(folder: Path, cells: list[Cell]) -> JobState:
        (made,) = cells
        all_wrong: dict[str, dict[str, Any]] = {
            "another cell": {"cell": cell(environment="new")},
            "another run": {"run": "r2"},
        }
        wrong = all_wrong.get(lie, {})
        seen = shown(made).model_copy(update=wrong)
        if lie != "nothing":
            Store(folder / STORE).add(seen)
        name = f"{seen.id}x" if lie == "an unknown id" else seen.id
        append_event(folder, NodeEvent(event="finished", cell=made.label, observations=(name,)))
        append_event(folder, NodeEvent(event="finished", cell=made.label))
        append_event(folder, NodeEvent(event="finished", cell="nothing that was sent"))
        append_event(folder, NodeEvent(event="ended"))
        return JobState("COMPLETED")

    (lost,) = run(held, heard, Queue(lies), monkeypatch, CELLS[:1])
    assert lost.verdict is Verdict.UNRUNNABLE
    assert "what its node left cannot be read" in str(lost.newest.fault)
    assert all((one.cell, one.run) == (CELLS[0], "r1") for one in Store(held.reports / "data"))


@pytest.mark.parametrize("same", [True, False])
def test_a_stored_run_of_another_name(
    held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch, *, same: bool
) -> None:
    """A node may reuse a run of the same recipe, whatever its environment was called, and no other one."""
    asked = CELLS[0]
    recipe = recipe_of(asked, held.catalog[asked.failure], held.environments.lock("old").digest)
    stored = shown(cell(environment="other")).model_copy(update={"recipe": recipe if same else "0" * 64})
    Store(held.reports / "data").add(stored)

    def reuses(folder: Path, cells: list[Cell]) -> JobState:
        (made,) = cells
        append_event(folder, NodeEvent(event="finished", cell=made.label, observations=(stored.id,), reused=1))
        append_event(folder, NodeEvent(event="ended"))
        return JobState("COMPLETED")

    (result,) = run(held, heard, Queue(reuses), monkeypatch, [asked])
    assert result.cell == asked
    assert result.verdict is (Verdict.REPRODUCED if same else Verdict.UNRUNNABLE)


def test_a_cell_that_does_not_apply(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def skips(folder: Path, cells: list[Cell]) -> JobState:
        append_event(folder, NodeEvent(event="skipped", cell=cells[0].label, text="needs tool"))
        return good(folder, cells[1:])

    found = run(held, heard, Queue(skips), monkeypatch)
    assert [result.cell for result in found] == CELLS[1:]
    assert f"{CELLS[0].label}: needs tool" in heard.texts


@pytest.mark.usefixtures("heard")
def test_an_interrupt_cancels(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """All jobs of the command, those that are known by its name only too; what had finished is stored."""

    def node(folder: Path, cells: list[Cell]) -> JobState:
        leave(folder, cells[0])
        return JobState("RUNNING")

    class Interrupting(Heard):
        def finished(self, result: Result) -> None:  # noqa: ARG002 - the first result is enough
            queue.known = {"1": JobState("CANCELLED")}
            raise KeyboardInterrupt

    queue = Queue(node)
    with pytest.raises(KeyboardInterrupt):
        run(held, Interrupting(), queue, monkeypatch)
    assert queue.cancelled == [()]
    assert len(list(Store(held.reports / "data"))) == 1


def test_environments_that_are_not_in_the_matrix(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are built here before their cells are sent; cells of those that cannot be built are not sent."""
    queue = Queue(good)
    monkeypatch.setattr(module, "SlurmQueue", queue)
    old = (held.matrix.environments["old"], held.environments.lock("old"))
    held = held.holding({"point": old, "broken": old, "foreign": old})
    built: list[str] = []

    def provide(name: str) -> None:
        assert queue.submitted == []
        if name == "broken":
            raise EnvironmentFailure("no wheel")
        if name == "foreign":
            raise NoPythonError("3.15")
        built.append(name)

    cells = [cell(environment=name) for name in ("broken", "foreign", "point", "new")]
    store = Store(held.reports / "data")
    spread = Spread(held, store, Options(), heard, SlurmOptions(jobs=1), run_name="r1", provide=provide)
    broken, *rest = spread.run(cells)
    assert (broken.verdict, broken.judgement.reason) == (Verdict.UNRUNNABLE, "no wheel")
    assert [result.cell.environment.label for result in rest] == ["point", "new"]
    assert (built, queue.submitted) == (["point"], [["point", "new"]])
    assert f"{cells[1].label}: no Python 3.15 here" in heard.texts


def test_refused(held: Project, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    spread = Spread(held, Store(held.reports / "data"), Options(), heard, SlurmOptions())
    with pytest.raises(UsageError, match="there is no sbatch here"):
        spread.run(CELLS)
    with pytest.raises(UsageError, match="of this machine alone"):
        spread.run([cell(environment=Adopted("/usr/bin/python3"))])
    assert spread.run([]) == []
