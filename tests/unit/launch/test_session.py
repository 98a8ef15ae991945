"""A session: results in order, nothing lost, nothing left running."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter
from repro.launch import session as module
from repro.launch import slots
from repro.launch.hardware import hardware
from repro.launch.run_cell import torchrun
from repro.launch.session import Options, Session, order_of_runs
from repro.model.cell import Adopted, Cell, CellEnvironment, make_cell
from repro.model.errors import EnvironmentFailure, NoPythonError, StoreError
from repro.model.observation import Observation, Rank
from repro.model.verdict import Status, Verdict
from repro.store import recipe
from repro.store.observations import Store
from repro.store.recipe import environment_key, recipe_of
from repro.verdict.result import Result
from tests.unit.factories import (
    FAILURE,
    MATRIX,
    failed,
    frame,
    installed,
    interpreter,
    late,
    observation,
    project,
    rank,
    waiting,
    write_failure,
)
from tests.unit.launch.ranks import wait_for

VERSIONS = {"old": {"lightning": "2.2.1", "torch": "2.2.2"}, "new": {"lightning": "2.2.2", "torch": "2.2.2"}}


def run_as_documented(cell: Cell, held: Interpreter) -> Observation:
    """What the affected and the fixed release show."""
    version = held.installed.distributions["lightning"]
    imported = {
        name: found.model_copy(update={"version": version})
        for name, found in rank(0).imported.items()
        if name == "lightning"
    }
    make = failed if version == "2.2.1" and cell.backport is None else rank
    ranks = [make(number, imported=imported, backport_applied=cell.backport is not None) for number in (0, 1)]
    return observation(*ranks, cell=cell, installed=held.installed)


class Played:
    """Plays ``run_cell``: notes what was run, and answers as documented unless told otherwise."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.answer: Callable[[Cell, Interpreter], Observation] = run_as_documented
        self.lock = threading.Lock()
        self.calls: list[dict[str, Any]] = []

    def __call__(self, cell: Cell, entry: Any, held: Interpreter, **options: Any) -> Observation:
        with self.lock:
            self.cells.append(cell)
            self.calls.append(options)
            number = len(self.cells)
        timeout = options["limits"].timeout
        key = recipe_of(cell, entry, environment_key(held.installed), timeout)
        seen = self.answer(cell, held)
        changes = {
            "id": f"{key[:12]}-{number:04}",
            "run": options["run"],
            "recipe": key,
            "timeout": timeout,
            "hardware": hardware(),
            "hosts": options["hosts"],
        }
        if seen.launcher == "warm" and seen.launcher_key is None:
            changes["launcher_key"] = recipe.launcher_key("warm")
        return seen.model_copy(update=changes)


class Heard:
    """A listener that notes everything."""

    def __init__(self) -> None:
        self.started_: list[str] = []
        self.finished_: list[Result] = []
        self.skipped_: list[tuple[str, str]] = []
        self.progress_: list[str] = []

    def progress(self, text: str) -> None:
        self.progress_.append(text)

    def started(self, cell: Cell) -> None:
        self.started_.append(cell.label)

    def finished(self, result: Result) -> None:
        self.finished_.append(result)

    def skipped(self, cell: Cell, reason: str) -> None:
        self.skipped_.append((cell.label, reason))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    play = Played()
    monkeypatch.setattr(module, "run_cell", play)
    monkeypatch.setenv("REPRO_RANKS", "4")
    return play


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


def provide(name: str, lock: str = "") -> Interpreter:
    """An interpreter that holds what the environment of that name pins."""
    return interpreter(
        executable=Path(f"/env/{name}"), installed=installed(VERSIONS[name], name=name, lock=lock or name * 20)
    )


def session(held: Project, **changes: Any) -> Session:
    return Session(held, Store(held.reports / "data"), provide=changes.pop("provide", provide), **changes)


def cells(held: Project, *environments: str | CellEnvironment, backport: str | None = None) -> list[Cell]:
    return [make_cell(held.catalog[FAILURE].failure, name, backport=backport) for name in environments]


class TestShutdown:
    """An interpreter that dies after the end of its script tells nothing: the run is made once more."""

    @pytest.mark.parametrize(("deaths", "verdict"), [(1, Verdict.ABSENT), (2, Verdict.DIFFERENT)])
    def test_once_more(self, held: Project, played: Played, deaths: int, verdict: Verdict) -> None:
        (cell,) = cells(held, "new")[:1]

        def answer(cell: Cell, interpreter: Interpreter) -> Observation:
            seen = run_as_documented(cell, interpreter)
            if len(played.cells) > deaths:
                return seen
            last = seen.ranks[-1].model_copy(update={"exit_code": None, "signal": 6})
            return seen.model_copy(update={"ranks": (*seen.ranks[:-1], last), "launcher_code": 1})

        played.answer = answer
        (result,) = session(held).run([cell])
        assert (result.verdict, result.n, len(played.cells)) == (verdict, 1, 2)
        assert [observation.run.endswith("-shutdown") for observation in Store(held.reports / "data")].count(True) == 1
        played.answer = run_as_documented
        (again,) = session(held, options=Options(fresh=False, repeat=2)).run([cell])
        assert (again.verdict, again.reused, len(played.cells)) == (Verdict.ABSENT, 2 - deaths, 2 + deaths)


class TestResults:
    """One result a cell, in the cells' order."""

    def test_as_documented(self, held: Project, played: Played) -> None:
        """Each has its verdict and status, and its observation is stored."""
        wanted = [*cells(held, "new", "old"), *cells(held, "old", backport="cure")]
        results = session(held).run(wanted)
        assert [result.cell for result in results] == wanted
        assert [result.verdict for result in results] == [Verdict.ABSENT, Verdict.REPRODUCED, Verdict.ABSENT]
        assert {result.status for result in results} == {Status.AS_DOCUMENTED}
        assert len(list(Store(held.reports / "data"))) == 3
        assert len(played.cells) == 3

    def test_order(self, held: Project, played: Played) -> None:
        """The order is the cells', although the first takes the longest."""

        heard = Heard()

        def slow_first(cell: Cell, under_test: Interpreter) -> Observation:
            deadline = time.monotonic() + 20
            while cell.environment.label == "old" and len(heard.finished_) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            return run_as_documented(cell, under_test)

        played.answer = slow_first
        results = session(held, listener=heard).run(cells(held, "old", "new", "new"))
        assert [result.cell.environment.label for result in results] == ["old", "new", "new"]
        assert heard.finished_[-1].cell.environment.label == "old"

    def test_order_of_runs(self, held: Project) -> None:
        """The runs of one environment are together, and in it those that share imports."""
        cure = cells(held, "old", "new", backport="cure")
        plain = cells(held, "old", "new")
        wanted = [plain[0], plain[1], cure[0], cure[1], plain[0]]
        assert order_of_runs(wanted, held.catalog) == [2, 0, 4, 3, 1]

    def test_nothing(self, held: Project) -> None:
        """No cells, no results."""
        assert session(held).run([]) == []

    @pytest.mark.usefixtures("played")
    def test_repeat(self, held: Project) -> None:
        """k of n: every repetition is stored under the command's id."""
        made = session(held, options=Options(repeat=3))
        (result,) = made.run(cells(held, "old"))
        assert (result.k, result.n, result.verdict) == (3, 3, Verdict.REPRODUCED)
        assert [seen.run for seen in Store(held.reports / "data")] == [made.id] * 3

    def test_flaky(self, held: Project, played: Played) -> None:
        """Repetitions that disagree are flaky."""
        played.answer = lambda cell, under_test: (
            run_as_documented(cell, under_test) if len(played.cells) != 2 else observation(cell=cell)
        )
        (result,) = session(held, options=Options(repeat=3)).run(cells(held, "old"))
        assert (result.verdict, result.k, result.n) == (Verdict.FLAKY, 2, 3)

    def test_timeout(self, held: Project, played: Played) -> None:
        """The command's deadline reaches the run."""
        session(held, options=Options(timeout=7)).run(cells(held, "old"))
        assert played.calls[0]["limits"].timeout == 7

    def test_two_commands(self, held: Project) -> None:
        """Each command has an id of its own."""
        assert session(held).id != session(held).id


class TestHangs:
    """A documented hang may be seen before its deadline."""

    @pytest.fixture
    def held(self, tmp_path: Path) -> Project:
        """A project whose record documents a hang."""
        made = project(tmp_path, failures=False)
        signature = {"kind": "hang", "function": "all_gather", "library": "torch", "ranks": "all"}
        write_failure(made.failures, kind="hang", signature=signature)
        return made

    @staticmethod
    def answer(played: Played, *early: Rank) -> Callable[[Cell, Interpreter], Observation]:
        """Runs that hang as documented, or as these ranks do where they end early."""

        def hangs(cell: Cell, under_test: Interpreter) -> Observation:
            common = {"cell": cell, "installed": under_test.installed}
            if played.calls[-1]["limits"].still is None:
                return late(waiting(0), waiting(1), **common)
            return late(*early, deadline_passed=False, stood_still=6.0, **common)

        return hangs

    def test_early(self, held: Project, played: Played) -> None:
        """It ends early where its ranks stand as documented."""
        played.answer = self.answer(played, waiting(0), waiting(1))
        (result,) = session(held).run(cells(held, "old"))
        assert (result.verdict, len(played.cells)) == (Verdict.REPRODUCED, 1)
        assert result.newest.stood_still

    def test_stray(self, held: Project, played: Played) -> None:
        """Where they stand elsewhere the cell runs again to its deadline, and the first run counts for nothing."""
        played.answer = self.answer(played, waiting(0, frame("sleep", "torch/other.py")), waiting(1))
        (result,) = session(held).run(cells(held, "old"))
        assert (result.verdict, result.n, len(played.cells)) == (Verdict.REPRODUCED, 1, 2)
        assert result.newest.deadline_passed
        assert [seen.run.endswith("-still") for seen in Store(held.reports / "data")].count(True) == 1

    def test_full_deadline(self, held: Project, played: Played) -> None:
        """Who asks for the full time gets it: a run that ended early is not reused then."""
        played.answer = self.answer(played, waiting(0), waiting(1))
        session(held).run(cells(held, "old"))
        (result,) = session(held, options=Options(fresh=False, full_deadline=True)).run(cells(held, "old"))
        assert (result.reused, result.newest.deadline_passed) == (0, True)
        (again,) = session(held, options=Options(fresh=False)).run(cells(held, "old"))
        assert (again.reused, len(played.cells)) == (1, 2)

    def test_cores_are_given_back(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run that only waits lets another one begin."""
        monkeypatch.setenv("REPRO_RANKS", "2")
        begun = threading.Event()

        def wait_for_another(cell: Cell, under_test: Interpreter) -> Observation:
            if len(played.cells) == 1:
                played.calls[0]["limits"].idle()
                assert begun.wait(20)
            begun.set()
            return run_as_documented(cell, under_test)

        played.answer = wait_for_another
        assert len(session(held).run(cells(held, "old", "new"))) == 2


def test_a_rank_may_sleep(held: Project, played: Played) -> None:
    """A run of a failure that is no hang is not ended because its ranks stand still."""
    session(held).run(cells(held, "old"))
    assert played.calls[0]["limits"].still is None


class TestConfirmation:
    """Verdicts of warm runs rest on a run through torchrun too."""

    @pytest.fixture
    def launched(self, played: Played) -> list[str]:
        """The launcher of every run, in order; each run is marked with it."""
        found: list[str] = []

        def answer(cell: Cell, under_test: Interpreter) -> Observation:
            found.append("torchrun" if played.calls[-1]["launch"] is torchrun else "warm")
            return run_as_documented(cell, under_test).model_copy(update={"launcher": found[-1]})

        played.answer = answer
        return found

    @pytest.mark.parametrize(
        ("options", "launchers"),
        [
            (Options(), ["warm"]),
            (Options(confirm=True), ["warm", "torchrun"]),
            (Options(repeat=2), ["warm", "torchrun"]),
            (Options(repeat=3, confirm=True), ["warm", "warm", "torchrun"]),
            (Options(warm=False, confirm=True), ["torchrun"]),
            (Options(warm=False, repeat=2), ["torchrun", "torchrun"]),
        ],
    )
    def test_one_run_goes_through_torchrun(
        self, held: Project, launched: list[str], options: Options, launchers: list[str]
    ) -> None:
        (result,) = session(held, options=options).run(cells(held, "old"))
        assert launched == launchers
        assert (result.verdict, result.n) == (Verdict.REPRODUCED, len(launchers))

    @pytest.mark.parametrize("repeat", [1, 2, 3])
    def test_a_stored_one_is_used_again(self, held: Project, launched: list[str], repeat: int) -> None:
        """The confirmation is found although newer warm runs are stored."""
        session(held, options=Options(confirm=True)).run(cells(held, "old"))
        session(held).run(cells(held, "old"))
        session(held).run(cells(held, "old"))
        (result,) = session(held, options=Options(fresh=False, repeat=repeat, confirm=True)).run(cells(held, "old"))
        assert launched == ["warm", "torchrun", "warm", "warm"]
        assert "torchrun" in {seen.launcher for seen in result.observations}

    def test_a_stored_one_confirms_a_new_run(self, held: Project, launched: list[str]) -> None:
        """The slow half is run once a recipe, and the cell itself anew; repetitions bring their own."""
        session(held, options=Options(confirm=True)).run(cells(held, "old"))
        (result,) = session(held, options=Options(confirm=True)).run(cells(held, "old"))
        assert launched == ["warm", "torchrun", "warm"]
        assert ([seen.launcher for seen in result.observations], result.reused) == (["torchrun", "warm"], 1)
        session(held, options=Options(repeat=2, confirm=True)).run(cells(held, "old"))
        assert launched[3:] == ["warm", "torchrun"]

    def test_a_stored_one_of_another_recipe_confirms_nothing(self, held: Project, launched: list[str]) -> None:
        session(held, options=Options(confirm=True)).run(cells(held, "old"))
        script = held.catalog[FAILURE].script
        script.write_text(script.read_text() + "\n")
        session(held, options=Options(confirm=True)).run(cells(held, "old"))
        assert launched == ["warm", "torchrun", "warm", "torchrun"]

    def test_stored_warm_runs_alone_are_not_enough(self, held: Project, launched: list[str]) -> None:
        for _ in range(3):
            session(held).run(cells(held, "old"))
        (result,) = session(held, options=Options(fresh=False, repeat=2)).run(cells(held, "old"))
        assert launched == ["warm", "warm", "warm", "torchrun"]
        assert (result.n, result.reused) == (2, 1)

    def test_a_run_that_could_not_be_warm_confirms_itself(self, held: Project, played: Played) -> None:
        session(held, options=Options(confirm=True)).run(cells(held, "old"))
        assert len(played.cells) == 1

    def test_a_confirmation_that_does_not_start(self, held: Project, played: Played) -> None:
        """It is tried once, and the session ends."""
        played.answer = lambda cell, under_test: (
            run_as_documented(cell, under_test).model_copy(update={"launcher": "warm"})
            if len(played.cells) == 1
            else observation(cell=cell, fault="no slots", launcher="none")
        )
        session(held, options=Options(confirm=True)).run(cells(held, "old"))
        assert len(played.cells) == 2

    def test_a_disagreement_is_loud(self, held: Project, played: Played) -> None:
        heard = Heard()
        played.answer = lambda cell, under_test: (
            run_as_documented(cell, under_test)
            if len(played.cells) == 2
            else observation(rank(0), rank(1), cell=cell, installed=under_test.installed, launcher="warm")
        )
        (result,) = session(held, options=Options(confirm=True), listener=heard).run(cells(held, "old"))
        assert (result.verdict, result.status) == (Verdict.UNRUNNABLE, Status.UNKNOWN)
        assert "launchers disagree: warm says absent (1 of 1), torchrun says reproduced" in heard.progress_[0]


class TestRare:
    """A failure that shows in some runs only runs until it shows, or until enough runs were clean."""

    @pytest.fixture
    def held(self, tmp_path: Path) -> Project:
        made = project(tmp_path, failures=False)
        write_failure(made.failures, rate={"runs": 4, "at_least": 3})
        return made

    @staticmethod
    def plays(played: Played, shows: str) -> list[str]:
        """Each run shows the failure where the text has an x, a fault where it has f; returns the launchers."""
        launchers: list[str] = []

        def answer(cell: Cell, under_test: Interpreter) -> Observation:
            launchers.append("torchrun" if played.calls[-1]["launch"] is torchrun else "warm")
            sign = shows[len(launchers) - 1]
            if sign == "f":
                return observation(cell=cell, fault="no slots", launcher="none")
            ranks = [(failed if sign == "x" else rank)(number) for number in (0, 1)]
            return observation(*ranks, cell=cell, installed=under_test.installed, launcher=launchers[-1])

        played.answer = answer
        return launchers

    @pytest.mark.parametrize(
        ("shows", "options", "launchers", "verdict"),
        [
            ("x", Options(), "w", Verdict.REPRODUCED),
            ("..x", Options(), "www", Verdict.REPRODUCED),
            ("...", Options(), "www", Verdict.ABSENT),
            ("x.x", Options(repeat=3), "wwt", Verdict.REPRODUCED),
            ("xx", Options(confirm=True), "wt", Verdict.REPRODUCED),
            ("x.x", Options(confirm=True), "wtt", Verdict.REPRODUCED),
            ("x...", Options(confirm=True), "wttt", Verdict.UNRUNNABLE),
            ("...", Options(confirm=True), "wwt", Verdict.ABSENT),
            ("..x", Options(confirm=True), "wwt", Verdict.REPRODUCED),
            ("...", Options(warm=False, confirm=True), "ttt", Verdict.ABSENT),
            ("f", Options(), "w", Verdict.UNRUNNABLE),
            (".....", Options(repeat=5, warm=False), "ttttt", Verdict.ABSENT),
        ],
    )
    def test_runs(  # noqa: PLR0917 - the parts of one case
        self, held: Project, played: Played, shows: str, options: Options, launchers: str, verdict: Verdict
    ) -> None:
        """Three clean runs exclude it (three in four, 95 %); what shows must show through torchrun too."""
        made = self.plays(played, shows)
        shown = {"w": "warm", "t": "torchrun"}
        try:
            (result,) = session(held, options=options).run(cells(held, "old"))
        finally:
            assert made == [shown[sign] for sign in launchers]
        assert result.verdict is verdict, result.judgement

    def test_stored_clean_runs_count(self, held: Project, played: Played) -> None:
        """All stored runs of the recipe count, as many as there are."""
        self.plays(played, "...")
        session(held).run(cells(held, "old"))
        (result,) = session(held, options=Options(fresh=False)).run(cells(held, "old"))
        assert (len(played.cells), result.verdict, result.reused) == (3, Verdict.ABSENT, 3)


class TestReuse:
    """A stored observation is used again only where a run would repeat it."""

    def test_reused(self, held: Project, played: Played) -> None:
        """Same recipe, interpreter and hardware: nothing is run, and the result says so."""
        session(held).run(cells(held, "old"))
        (result,) = session(held, options=Options(fresh=False)).run(cells(held, "old"))
        assert (len(played.cells), result.reused, result.verdict) == (1, 1, Verdict.REPRODUCED)

    def test_of_another_name(self, held: Project, played: Played) -> None:
        """A search names the same environment otherwise: the result is of the cell that was asked for."""
        (old, new) = cells(held, "old", "new")
        session(held).run([old])
        store = Store(held.reports / "data")
        again = Session(held, store, Options(fresh=False), provide=lambda _: provide("old"))
        (result,) = again.run([new])
        assert (len(played.cells), result.reused, result.cell) == (1, 1, new)

    def test_from_another_store(self, held: Project, played: Played, tmp_path: Path) -> None:
        """Runs of an earlier store count like those of the session's own, and nothing is written there."""
        session(held).run(cells(held, "old"))
        earlier, own = Store(held.reports / "data"), Store(tmp_path / "own")
        before = list(earlier.files())
        again = Session(held, own, Options(fresh=False), provide=provide, earlier=earlier)
        first, second = again.run(cells(held, "old", "new"))
        assert (len(played.cells), first.reused, second.reused) == (2, 1, 0)
        assert (list(earlier.files()), len(list(own.files()))) == (before, 1)

    def test_the_rest_is_run(self, held: Project, played: Played) -> None:
        """What is missing to the count is run."""
        session(held).run(cells(held, "old"))
        (result,) = session(held, options=Options(fresh=False, repeat=3)).run(cells(held, "old"))
        assert (len(played.cells), result.reused, result.n) == (3, 1, 3)

    def test_changed_source(self, held: Project, played: Played) -> None:
        """A changed script is another recipe."""
        session(held).run(cells(held, "old"))
        script = held.catalog[FAILURE].script
        script.write_text(script.read_text() + "\n")
        session(held, options=Options(fresh=False)).run(cells(held, "old"))
        assert len(played.cells) == 2

    def test_unrunnable_is_run_again(self, held: Project, played: Played) -> None:
        """What could not be told is tried again."""
        played.answer = lambda cell, _: observation(cell=cell, fault="no slots")
        session(held).run(cells(held, "old"))
        played.answer = run_as_documented
        (result,) = session(held, options=Options(fresh=False)).run(cells(held, "old"))
        assert (result.reused, result.verdict) == (0, Verdict.REPRODUCED)

    def test_other_launcher(self, held: Project, played: Played) -> None:
        """Where torchrun is asked for, a warm run does not do."""
        played.answer = lambda cell, under_test: run_as_documented(cell, under_test).model_copy(
            update={"launcher": "warm"}
        )
        session(held).run(cells(held, "old"))
        session(held, options=Options(fresh=False, warm=False)).run(cells(held, "old"))
        assert len(played.cells) == 2

    def test_other_timeout(self, held: Project, played: Played) -> None:
        """A run that was given less time is no run of the record's time, and the other way round."""
        session(held, options=Options(timeout=4)).run(cells(held, "old"))
        session(held, options=Options(fresh=False)).run(cells(held, "old"))
        session(held, options=Options(fresh=False, timeout=5)).run(cells(held, "old"))
        assert len(played.cells) == 3
        (result,) = session(held, options=Options(fresh=False, timeout=4)).run(cells(held, "old"))
        assert (len(played.cells), result.reused) == (3, 1)

    def test_other_helper(self, held: Project, played: Played) -> None:
        """A file beside the script may be imported by it."""
        helper = held.catalog[FAILURE].script.with_name("helper.py")
        for content in ("a = 1\n", "a = 2\n"):
            helper.write_text(content)
            session(held, options=Options(fresh=False)).run(cells(held, "old"))
        assert len(played.cells) == 2

    def test_other_zygote(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """What a changed warm launcher did is run again; a run through torchrun is not."""
        for launcher, runs in (("warm", 2), ("torchrun", 3)):
            played.answer = lambda cell, under_test, launcher=launcher: run_as_documented(  # type: ignore[misc]
                cell, under_test
            ).model_copy(update={"launcher": launcher, "launcher_key": recipe.launcher_key(launcher)})
            session(held).run(cells(held, "old"))
            changed = tmp_path / f"{launcher}.py"
            changed.write_text("changed\n")
            with monkeypatch.context() as patched:
                patched.setattr(recipe, "ZYGOTE", changed)
                session(held, options=Options(fresh=False)).run(cells(held, "old"))
            assert len(played.cells) == runs

    def test_an_existing_interpreter_is_run_again(self, held: Project, played: Played) -> None:
        """Its libraries may have been changed in place."""
        used = replace(provide("old"), adopted=True)
        for _ in range(2):
            session(held, options=Options(fresh=False), provide=lambda _: used).run(cells(held, "old"))
        assert len(played.cells) == 2

    def test_other_python(self, held: Project, played: Played) -> None:
        """Another interpreter's run does not do."""
        session(held).run(cells(held, "old"))

        def newer(name: str) -> Interpreter:
            return interpreter(installed=installed(VERSIONS[name], name=name, lock=name * 20, python="3.12.1"))

        session(held, options=Options(fresh=False), provide=newer).run(cells(held, "old"))
        assert len(played.cells) == 2


class TestEnvironments:
    """A failing environment costs its own cells only."""

    def failing(self, name: str) -> Interpreter:
        if name == "old":
            raise EnvironmentFailure("no such release")
        return provide(name)

    def test_others_run(self, held: Project, played: Played) -> None:
        """Its cells are unrunnable with the cause, stored; the others have their verdicts."""
        results = session(held, provide=self.failing).run(cells(held, "old", "new"))
        assert [result.verdict for result in results] == [Verdict.UNRUNNABLE, Verdict.ABSENT]
        assert [result.status for result in results] == [Status.UNKNOWN, Status.AS_DOCUMENTED]
        assert results[0].judgement.reason == "no such release"
        assert [cell.environment.label for cell in played.cells] == ["new"]
        assert len(list(Store(held.reports / "data"))) == 2

    def test_built_once(self, held: Project, played: Played) -> None:
        """An environment is asked for once, however many cells need it."""
        asked: list[str] = []

        def note(name: str) -> Interpreter:
            asked.append(name)
            return provide(name)

        session(held, provide=note).run(cells(held, "old", "new", "old"))
        assert asked == ["old", "new"]
        assert len(played.cells) == 3

    def test_adopted(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        """An existing interpreter is probed by its path, not built."""
        probed: list[tuple[Path, str]] = []

        def probe(path: Path, name: str) -> Interpreter:
            probed.append((path, name))
            return provide("old")

        monkeypatch.setattr(module, "probe", probe)
        (result,) = session(held).run(cells(held, Adopted("/usr/bin/python3")))
        assert probed == [(Path("/usr/bin/python3"), "python:/usr/bin/python3")]
        assert result.verdict is Verdict.REPRODUCED
        assert len(played.cells) == 1

    def test_adopted_holds_a_denied_release(
        self, tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``run --python`` on an interpreter with a malicious release runs nothing there."""
        holding = interpreter(installed=installed({"lightning": "2.6.2", "torch": "2.2.2"}))
        monkeypatch.setattr(module, "probe", lambda *_: holding)
        deny = [{"distribution": "lightning", "version": "2.6.2", "reason": "malicious upload", "date": "2026-04-01"}]
        held = project(tmp_path / "denying", content=MATRIX | {"deny": deny})
        (result,) = session(held).run(cells(held, Adopted("/usr/bin/python3")))
        assert result.verdict is Verdict.UNRUNNABLE
        assert "malicious upload" in result.judgement.reason
        assert played.cells == []

    def test_adopted_is_missing(self, held: Project, played: Played) -> None:
        """An interpreter that is not there makes its cell unrunnable."""
        (result,) = session(held).run(cells(held, Adopted("/nonexistent/python")))
        assert (result.verdict, result.status) == (Verdict.UNRUNNABLE, Status.UNKNOWN)
        assert "no such interpreter" in result.judgement.reason
        assert played.cells == []

    def test_needs_more_ranks(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        """A cell of more ranks than this machine allows is unrunnable with the remedy; the others run."""
        monkeypatch.setenv("REPRO_RANKS", "2")
        wanted = [make_cell(held.catalog[FAILURE].failure, "old", factors={"world-size": "4"}), *cells(held, "new")]
        first, second = session(held).run(wanted)
        assert "REPRO_RANKS=4" in first.judgement.reason
        assert second.verdict is Verdict.ABSENT
        assert len(played.cells) == 1

    def test_ranks_share_cores(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a limit of the user's, ranks share the cores, and the run has as much more time."""
        monkeypatch.delenv("REPRO_RANKS")
        monkeypatch.setattr(slots, "usable_cores", lambda: 2)
        monkeypatch.setattr(module, "usable_cores", lambda: 2)
        wanted = [make_cell(held.catalog[FAILURE].failure, "old", factors={"world-size": "5"}), *cells(held, "new")]
        assert len(session(held).run(wanted)) == 2
        ranks = [cell.world_size for cell in played.cells]
        assert sorted(zip(ranks, (call["limits"].timeout for call in played.calls), strict=True)) == [
            (2, 120),
            (5, 360),
        ]

    def test_python_is_not_here(self, held: Project, played: Played) -> None:
        """Its cells are skipped with the reason: no verdict, nothing stored, and the others run."""

        def provide_new(name: str) -> Interpreter:
            if name == "old":
                raise NoPythonError("3.13")
            return provide(name)

        heard = Heard()
        (result,) = session(held, provide=provide_new, listener=heard).run(cells(held, "old", "new"))
        assert (result.cell.environment.label, result.verdict) == ("new", Verdict.ABSENT)
        assert heard.skipped_ == [(f"{FAILURE} old", "no Python 3.13 here")]
        assert len(played.cells) == 1
        assert len(list(Store(held.reports / "data"))) == 1

    def test_inapplicable(self, tmp_path: Path, played: Played) -> None:
        """A failure that needs what is not installed is skipped with the reason, and has no result."""
        held = project(tmp_path, failures=False)
        write_failure(held.failures, needs={"distributions": {"accelerate": ">=1"}})
        heard = Heard()
        assert session(held, listener=heard).run(cells(held, "old")) == []
        assert heard.skipped_ == [(f"{FAILURE} old", "needs accelerate>=1, which is not installed")]
        assert played.cells == []


class TestStops:
    """Ctrl-C and errors end the session soon; what was finished is stored."""

    @pytest.mark.parametrize("ranks", ["8", "2"])
    def test_interrupt(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch, ranks: str) -> None:
        """A KeyboardInterrupt while waiting ends the running cells, starts no others, and is raised again."""
        monkeypatch.setenv("REPRO_RANKS", ranks)
        made = session(held)
        running = threading.Event()
        heard = Heard()
        made.listener = heard

        def answer(cell: Cell, under_test: Interpreter) -> Observation:
            if cell.environment.label == "new":
                return run_as_documented(cell, under_test)
            running.set()
            assert made.stop.wait(10)
            return observation(cell=cell, fault="interrupted")

        def interrupted(*_: Any, **__: Any) -> Any:
            assert running.wait(10)
            if ranks == "8":
                wait_for(lambda: bool(heard.finished_) and len(played.cells) == 4)
            raise KeyboardInterrupt

        played.answer = answer
        monkeypatch.setattr(module, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.run(cells(held, *(["new"] if ranks == "8" else []), "old", "old", "old"))
        assert [seen.cell.environment.label for seen in Store(held.reports / "data")] == (
            ["new"] if ranks == "8" else []
        )
        assert len(played.cells) == (4 if ranks == "8" else 1)

    def test_stopped_before(self, held: Project, played: Played) -> None:
        """A session that was stopped starts nothing."""
        made = session(held)
        made.stop.set()
        assert made.run(cells(held, "old", "new")) == []
        assert played.cells == []

    def test_store_fails(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that cannot be written ends the session with that error, once."""

        def fail(*_: Any) -> None:
            raise StoreError("disk full")

        monkeypatch.setattr(Store, "add", fail)
        with pytest.raises(StoreError, match="disk full"):
            session(held).run(cells(held, "old", "new"))
        assert played.cells

    def test_nothing_new_after_an_error(self, held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        """After an error no further cell is started."""
        monkeypatch.setenv("REPRO_RANKS", "2")

        def fail(*_: Any) -> None:
            raise StoreError("disk full")

        monkeypatch.setattr(Store, "add", fail)
        made = session(held)
        with pytest.raises(StoreError):
            made.run(cells(held, *["old"] * 12))
        assert made.stop.is_set()
        assert len(played.cells) < 12

    def test_own_mistake(self, held: Project, played: Played) -> None:
        """A mistake of ours is raised, never turned into a verdict."""

        def wrong(_cell: Cell, _held: Interpreter) -> Observation:
            raise AssertionError("our own mistake")

        played.answer = wrong
        with pytest.raises(AssertionError, match="our own mistake"):
            session(held).run(cells(held, "old"))
        assert list(Store(held.reports / "data")) == []


def test_slots_are_shared(held: Project, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more ranks at once than the limit says."""
    monkeypatch.setenv("REPRO_RANKS", "2")
    running, highest = 0, 0

    def answer(cell: Cell, under_test: Interpreter) -> Observation:
        nonlocal running, highest
        with played.lock:
            running += cell.world_size
            highest = max(highest, running)
        time.sleep(0.05)
        with played.lock:
            running -= cell.world_size
        return run_as_documented(cell, under_test)

    played.answer = answer
    session(held).run(cells(held, "old", "new", "old"))
    assert highest == 2


def test_a_run_on_one_host_does_not_stand_for_one_on_two(held: Project, played: Played) -> None:
    """The same cell on two nodes of a cluster is another run; the observation says where it was."""
    store = Store(held.reports / "data")
    cell = make_cell(held.catalog[FAILURE].failure, "old", nodes=2)
    for hosts in (1, 2, 2):
        options = Options(fresh=False, warm=False)
        session = Session(held, store, options, hosts=hosts, provide=lambda _: interpreter())
        (result,) = session.run([cell])
        assert result.newest.hosts == hosts
    assert len(played.cells) == 2


def test_another_launcher(held: Project, played: Played) -> None:
    """What starts the ranks of a run that is not warm can be given."""
    session = Session(held, Store(held.reports / "data"), Options(warm=False), cold=torchrun)
    session.provide = lambda _: interpreter()
    marked: Any = object()
    session.cold = marked
    session.run([make_cell(held.catalog[FAILURE].failure, "old")])
    assert played.calls[0]["launch"] is marked


def test_a_cell_of_which_nothing_is_known(held: Project) -> None:
    result = Session(held, Store(held.reports / "data")).unrunnable(
        make_cell(held.catalog[FAILURE].failure, "old"), "its node failed"
    )
    assert (result.verdict, result.newest.fault) == (Verdict.UNRUNNABLE, "its node failed")
    assert len(list(Store(held.reports / "data"))) == 1
