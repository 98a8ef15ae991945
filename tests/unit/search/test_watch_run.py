"""The whole watch without a network: a local index, real uv, real wheels, real ranks; torch is a small one of ours."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter
from repro.launch.session import Session, Silent
from repro.launch.slurm.batches import SlurmOptions
from repro.model.cell import Cell
from repro.model.errors import EnvironmentFailure
from repro.model.verdict import Verdict
from repro.search import trials, watch_run
from repro.search.index import fetch_files
from repro.search.watch_plan import ReleaseState, WatchedRelease
from repro.search.watch_run import Watch
from repro.search.watch_search import WatchBudget, write_bound
from repro.search.write_lock import write_lock
from repro.store import upkeep
from repro.store.kept_locks import KeptLocks
from repro.store.observations import Store
from repro.verdict.result import Result
from tests.unit.search.local_index import Published
from tests.unit.search.watch_world import TORCH, in_folder, watched_world

TODAY = date(2026, 3, 10)
TOOL = """\
__version__ = "{version}"

def alpha():
    if {alpha}:
        raise ValueError("alpha is broken")

def beta():
    if {beta}:
        raise ValueError("beta is broken")
"""


def tool(version: str, uploaded: str, *, alpha: bool = False, beta: bool = False, **changes: Any) -> Published:
    text = TOOL.format(version=version, alpha=alpha, beta=beta)
    return Published("tool", version, uploaded, {"tool/__init__.py": text}, **changes)


RELEASES = [
    TORCH,
    Published("helper", "1.0", "2025-12-01", {"helper.py": "__version__ = '1.0'\n"}),
    Published("helper", "1.1", "2026-02-15", {"helper.py": "__version__ = '1.1'\n"}),
    tool("1.0", "2026-01-01", alpha=True),
    tool("1.1", "2026-02-01", alpha=True, beta=True),  # it breaks beta
    tool("1.2", "2026-02-10", beta=True),  # it mends alpha
    tool("1.3", "2026-02-12", yanked="wrong files"),
    tool("1.4", "2026-02-14"),  # denied
    tool("1.5", "2026-02-20", requires=("helper>=9",)),  # it does not resolve
    tool("2.0rc1", "2026-02-25"),
    tool("1.6", "2026-03-08"),  # too young
]

MATRIX: dict[str, Any] = {
    "format": 1,
    "deny": [{"distribution": "tool", "version": "1.4", "reason": "a malicious upload", "date": "2026-02-15"}],
    "environments": {
        "newest": {
            "cutoff": "2026-01-10",
            "pins": {"torch": "2.2.2", "tool": "1.0", "helper": "1.0"},
            "why": "the last lock",
        }
    },
    "floating": {"newest": {"libraries": ["torch", "tool", "helper"]}, "candidate": {"prereleases": True}},
    "runs": {"tool-alpha": {"environments": ["newest"]}, "tool-beta": {"environments": ["newest"]}},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Two records, locked before all new releases."""
    records = {"alpha": (">=1.0", Verdict.REPRODUCED), "beta": (">=1.3", Verdict.ABSENT)}
    with watched_world(tmp_path_factory.mktemp("watch"), RELEASES, MATRIX, records) as made:
        yield made


@pytest.fixture
def held(world: Project, tmp_path: Path) -> Project:
    """A copy that a test may change; what was built is shared."""
    shutil.copytree(world.failures.parent, tmp_path / "project")
    return in_folder(tmp_path / "project", world.cache)


def watch(held: Project, name: str = "newest", today: date = TODAY, **changes: Any) -> Watch:
    failures = [entry.failure for entry in held.catalog]
    return Watch(held, name, today, fetch_files, failures, **changes)


def by_name(made: Watch) -> dict[str, WatchedRelease]:
    return {release.name: release for release in made.look().watched.releases}


def test_the_whole_way(held: Project) -> None:
    """From what appeared, over what it owes, to the releases to blame; a second time nothing is left."""
    made = watch(held)
    before = made.look().watched
    assert before.environment == "newest as of 2026-03-07"
    assert before.base == "newest"
    states = {release.name: (release.state, release.owed) for release in before.releases}
    both = ("tool-alpha", "tool-beta")
    assert states == {
        "tool 1.2": (ReleaseState.OWED, both),
        "helper 1.1": (ReleaseState.RUN, ()),
        "tool 1.1": (ReleaseState.OWED, both),
        "tool 1.5": (ReleaseState.OWED, both),
        "tool 1.6": (ReleaseState.COOLING, ()),
    }
    assert {entry.version: entry.reason for entry in before.left_out["tool"]} == {
        "1.3": "yanked: wrong files",
        "1.4": "denied: a malicious upload",
    }

    told: list[str] = []
    found = {answer.failure: answer for answer in made.run(WatchBudget(), Silent(), told.append)}
    assert set(found) == set(both), told
    assert (found["tool-alpha"].last, found["tool-alpha"].release) == ("1.1", "1.2")
    assert found["tool-alpha"].sentence == (
        "tool 1.2 of 2026-02-10: tool-alpha is cured (1.1 shows it, 1.2 does not, 4 of 4), the cap can go"
    )
    assert found["tool-beta"].sentence == (
        "tool 1.1 of 2026-02-01: tool-beta is back (1.0 does not show it, 1.1 does, 4 of 4), stay below 1.1"
    )
    assert "+- tool: '>=1.0,<1.2'" in found["tool-alpha"].proposal

    after = by_name(made)
    assert after["tool 1.2"].run == {"tool-alpha": Verdict.ABSENT, "tool-beta": Verdict.REPRODUCED}
    assert after["tool 1.1"].run == {"tool-alpha": Verdict.REPRODUCED, "tool-beta": Verdict.REPRODUCED}
    assert after["tool 1.2"].unexpected == both
    assert after["tool 1.5"].state is ReleaseState.UNRESOLVED
    assert "helper" in after["tool 1.5"].reason
    assert all(change.searched for change in made.look().watched.changes)
    assert not made.look().watched.is_owed

    runs = len(list(Store(held.reports / "data")))
    again = watch(held, unresolved=made.unresolved)
    assert again.run(WatchBudget(), Silent(), told.append) == []
    assert len(list(Store(held.reports / "data"))) == runs

    # The lock is found by the digest that the observations state.
    store = Store(held.reports / "data")
    kept = KeptLocks(store.root).get(made.current().lock.digest[:12])
    assert (kept.name, kept.lock.versions["tool"]) == ("newest as of 2026-03-07", "1.2")
    assert any(seen.installed and seen.installed.lock == kept.lock.digest for seen in store)
    assert upkeep.verify(store)[1] == []

    assert "affected tool >=1.0,<1.2" in write_bound(held, found["tool-alpha"])
    again = watch(in_folder(held.failures.parent, held.cache), unresolved=made.unresolved)
    assert by_name(again)["tool 1.2"].unexpected == ("tool-beta",)


def test_on_a_cluster(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """All owed cells go out together; searches send their points too."""
    sent: list[list[str]] = []
    asked: list[SlurmOptions] = []

    class Sent:
        def __init__(self, *given: Any, provide: Callable[[str], Interpreter] | None = None) -> None:
            project, store, how, heard = given[:4]
            self._session = Session(project, store, how, heard, provide=provide)
            asked.append(given[4])

        def run(self, cells: Sequence[Cell]) -> list[Result]:
            sent.append([cell.label for cell in cells])
            return self._session.run(cells)

    for module in (watch_run, trials):
        monkeypatch.setattr(module, "Spread", Sent)
    slurm = SlurmOptions(partition="batch")
    made = watch(held, slurm=slurm)
    found = {answer.failure: answer.release for answer in made.run(WatchBudget(), Silent(), lambda _: None)}
    assert found == {"tool-alpha": "1.2", "tool-beta": "1.1"}
    assert len(sent[0]) == 4, "two records on two new releases, in one round"
    assert len(sent) > 1, "the points of the searches"
    assert set(asked) == {slurm}


def test_a_young_release_is_not_installed(held: Project) -> None:
    """A release is seen from the day on which it is two whole days old, and then it is new."""
    assert by_name(watch(held, today=date(2026, 3, 10)))["tool 1.6"].reason == "until 2026-03-11"
    assert watch(held, today=date(2026, 3, 10)).current().lock.versions["tool"] == "1.2"
    assert watch(held, today=date(2026, 3, 11)).current().lock.versions["tool"] == "1.6"


def test_candidates(held: Project) -> None:
    """A floating environment with pre-releases takes them of its libraries, and is compared with the locked one."""
    made = watch(held, "candidate")
    assert made.current().lock.versions["tool"] == "2.0rc1"
    assert made.look().watched.base == "newest"
    assert by_name(made)["tool 2.0rc1"].state is ReleaseState.OWED


@pytest.mark.parametrize(("first", "then"), [("newest", "candidate"), ("candidate", "newest")])
def test_a_lock_of_two_floating_environments_counts_for_both(held: Project, first: str, then: str) -> None:
    """On the first day both hold the same, and its lock is kept once; so on the next day only helper is new to both."""
    failures = [held.catalog["tool-alpha"].failure]
    early, late = date(2026, 2, 14), date(2026, 2, 19)
    day = Watch(held, first, early, fetch_files, failures, superseded=False)
    assert day.current().lock.digest == watch(held, then, today=early, keep=False).current().lock.digest
    told: list[str] = []
    day.run(WatchBudget(), Silent(), told.append)
    assert told[0] == f"tool-alpha {day.float.label}: absent", "what was run is reported before it is searched"
    after = Watch(held, then, late, fetch_files, failures, keep=False).look().watched
    assert after.base == f"{first} as of 2026-02-11"
    assert {release.name: release.state for release in after.releases} == {"helper 1.1": ReleaseState.RUN}


def test_a_pre_release_does_not_count_for_an_environment_without_them(held: Project) -> None:
    made = watch(held, "candidate", superseded=False)
    assert made.current().lock.versions["tool"] == "2.0rc1"
    newest = watch(held, keep=False)
    assert [other.name for other in newest._snapshots(newest.current())] == ["newest"]


def test_a_fixed_day_sees_nothing_later(held: Project) -> None:
    """What came after the day is not cooling: it is never seen."""
    content = yaml.safe_load(held.matrix_file.read_text())
    content["floating"]["newest"]["as-of"] = "2026-02-05"
    held.matrix_file.write_text(yaml.safe_dump(content, sort_keys=False))
    assert set(by_name(watch(held, keep=False))) == {"tool 1.1"}


def test_no_time(held: Project) -> None:
    """Without time nothing is run, and all of it stays owed; with time the same command goes on."""
    made = watch(held)
    told: list[str] = []
    runs = len(list(Store(held.reports / "data")))
    assert made.run(WatchBudget(minutes=0), Silent(), told.append) == []
    assert len(list(Store(held.reports / "data"))) == runs
    assert "runs are still owed" in told[-1]
    assert made.look().watched.is_owed


def test_looking_leaves_no_trace(held: Project) -> None:
    made = watch(held, keep=False)
    assert made.look().watched.is_owed
    assert KeptLocks(held.reports / "data").files() == []


def test_an_index_that_cannot_be_reached(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_INDEX", "http://127.0.0.1:9/simple/")
    with pytest.raises(EnvironmentFailure):
        watch(held).look()


def test_the_locked_environment_moves(held: Project) -> None:
    """`--write-locks` moves pins, day and lock together: what was run on the floating environment counts for it."""
    made = watch(held)
    digest = made.current().lock.digest
    line = write_lock(held, made.float, made.current())
    assert line == "newest: torch 2.2.2, tool 1.2, helper 1.1, as of 2026-03-07"
    again = in_folder(held.failures.parent, held.cache)
    assert again.environments.lock("newest").digest == digest
    assert again.matrix.environments["newest"].cutoff == "2026-03-07"
