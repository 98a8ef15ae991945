"""The results of a cell over time."""

from typing import Any

import pytest

from repro.catalog.catalog import Catalog, Entry
from repro.model.observation import Observation
from repro.verdict.history import (
    NOTHING_RECORDED,
    SOURCES,
    History,
    News,
    commands,
    coverage,
    histories,
    moved,
    news,
    turns,
)
from tests.unit.factories import (
    FAILURE,
    HARDWARE,
    cell,
    failed,
    failure,
    imported,
    installed,
    lost_peer,
    observation,
    rank,
)

OLD = {"lightning": "2.2.1", "torch": "2.2.2", "numpy": "1.26.4"}
NEW = {"lightning": "2.2.2", "torch": "2.2.2", "numpy": "1.26.4"}
NAMED = ("lightning",)


@pytest.fixture
def catalog(tmp_path: Any) -> Catalog:
    return Catalog(tmp_path, {FAILURE: Entry(failure(), tmp_path)})


def seen(day: int, *, shows: bool, versions: dict[str, str] = OLD, **changes: Any) -> Observation:
    held: dict[str, Any] = {"imported": imported({name: versions[name] for name in ("lightning", "torch")})}
    ranks = (failed(0, **held), failed(1, **held)) if shows else (rank(0, **held), rank(1, **held))
    facts = {
        "id": f"abcdef012345-{day:02}",
        "run": f"run-{day:02}",
        "started": f"2026-01-{day:02}T00:00:00+00:00",
        "installed": installed(versions),
    }
    return observation(*ranks, **facts | changes)


def history(catalog: Catalog, *observations: Observation) -> History:
    (found,) = histories(catalog, observations).values()
    return found


class TestHistories:
    def test_points_are_runs_in_the_order_of_time(self, catalog: Catalog) -> None:
        """Repetitions of one command are one point, whatever the order in which the store lists them."""
        found = history(catalog, seen(3, shows=False), seen(1, shows=True), seen(2, shows=True, id="x", run="run-01"))
        assert [(point.run, point.result.verdict, point.result.n) for point in found.points] == [
            ("run-01", "reproduced", 2),
            ("run-03", "absent", 1),
        ]
        assert found.points[0].date.startswith("2026-01-02")

    def test_runs_of_one_time_are_in_the_order_of_their_names(self, catalog: Catalog) -> None:
        """Two commands may begin in one second."""
        found = history(catalog, seen(1, shows=True, run="b"), seen(1, shows=False, run="a"))
        assert [point.run for point in found.points] == ["a", "b"]

    def test_a_rate_counts_earlier_runs(self, tmp_path: Any) -> None:
        """A later command adds only what the rate still asks for: it is no change from absent to unrunnable."""
        rare = Catalog(tmp_path, {FAILURE: Entry(failure(rate={"runs": 20, "at_least": 12}), tmp_path)})
        clean = [seen(1, shows=False, id=f"abcdef012345-a{number}") for number in range(4)]
        later = seen(2, shows=False)
        found = history(rare, *clean, later)
        assert [(point.result.verdict, point.result.n) for point in found.points] == [("absent", 4), ("absent", 5)]
        changed = seen(2, shows=False, recipe="0" * 64)
        assert [point.result.verdict for point in history(rare, *clean, changed).points] == ["absent", "unrunnable"]

    def test_cells_are_apart(self, catalog: Catalog) -> None:
        found = histories(catalog, [seen(1, shows=True), seen(1, shows=False, cell=cell(lane="cuda"))])
        assert list(found) == [f"{FAILURE} old", f"{FAILURE} old cuda"]

    def test_unknown_failures_stay_out(self, catalog: Catalog) -> None:
        assert histories(catalog, [seen(1, shows=True, cell=cell(failure="gone-1"))]) == {}


class TestMoved:
    def test_packages(self) -> None:
        """Those that the record speaks of by name, the others by their number."""
        before, after = seen(1, shows=True), seen(2, shows=True, versions={**NEW, "numpy": "2.0", "new": "1"})
        assert moved(before, after, NAMED) == ("lightning 2.2.1 → 2.2.2", "2 other packages")

    def test_sources(self) -> None:
        assert moved(seen(1, shows=True), seen(2, shows=True, recipe="f" * 64), NAMED) == (SOURCES,)
        assert SOURCES == "the reproduction, a backport or the harness"

    def test_a_package_that_came_or_went(self) -> None:
        """torch is always named, whatever the record speaks of; one other package is singular."""
        before = seen(1, shows=True, installed=installed({"lightning": "2.2.1"}))
        after = seen(2, shows=True, installed=installed({"torch": "2.2.2", "numpy": "2.0"}))
        assert moved(before, after, NAMED) == (
            "lightning 2.2.1 → not installed",
            "torch not installed → 2.2.2",
            "1 other package",
        )

    def test_an_unknown_side(self) -> None:
        """Where nothing is known of one side's packages, or nothing was launched, they did not move."""
        unknown = seen(1, shows=True, installed=None, launcher="none")
        assert moved(unknown, seen(2, shows=True), NAMED) == ()
        assert moved(seen(1, shows=True), seen(2, shows=True, installed=None, launcher="none"), NAMED) == ()

    def test_machine_launcher_and_python(self) -> None:
        machine = HARDWARE.model_copy(update={"machine": "aarch64"})
        after = seen(2, shows=True, hardware=machine, launcher="warm", installed=installed(OLD, python="3.12.1"))
        words = moved(seen(1, shows=True), after, NAMED)
        assert words == ("Python 3.11.7 → 3.12.1", "the machine", "the launcher, torchrun → warm")

    def test_nothing(self) -> None:
        assert moved(seen(1, shows=True), seen(2, shows=True), NAMED) == ()


class TestTurns:
    def test_only_changes(self, catalog: Catalog) -> None:
        found = turns(history(catalog, seen(1, shows=True), seen(2, shows=True), seen(3, shows=False)), NAMED)
        assert [(turn.before and turn.before.run, turn.after.run) for turn in found] == [("run-02", "run-03")]
        assert found[0].cause == NOTHING_RECORDED == "nothing that is recorded: the runs themselves differ"

    def test_several_causes(self, catalog: Catalog) -> None:
        changed = seen(2, shows=False, versions={**NEW, "numpy": "2.0"})
        (turn,) = turns(history(catalog, seen(1, shows=True), changed), NAMED)
        assert turn.cause == "lightning 2.2.1 → 2.2.2, 1 other package"

    def test_cause_is_what_moved_or_the_error_that_broke_it(self, catalog: Catalog) -> None:
        lost = observation(
            *(failed(number, lost_peer(), imported=imported(NEW)) for number in (0, 1)),
            id="abcdef012345-04",
            run="run-04",
            started="2026-01-04T00:00:00+00:00",
            installed=installed(NEW),
        )
        found = turns(history(catalog, seen(1, shows=True), seen(2, shows=False, versions=NEW), lost), NAMED)
        assert found[0].cause == "lightning 2.2.1 → 2.2.2"
        assert "Connection closed by peer" in found[1].cause

    def test_a_status_may_turn_alone(self, catalog: Catalog) -> None:
        """The same verdict on a release of which the record says something else."""
        found = turns(history(catalog, seen(1, shows=True), seen(2, shows=True, versions=NEW)), NAMED)
        assert [(turn.after.result.verdict, turn.after.result.status) for turn in found] == [("reproduced", "relapsed")]


class TestNews:
    def test_relapse_and_cure(self, catalog: Catalog) -> None:
        found = news(
            history(
                catalog,
                seen(1, shows=False, versions=NEW),
                seen(2, shows=True, versions=NEW),
                seen(3, shows=True, versions=NEW),
                seen(4, shows=False, versions=NEW),
                seen(5, shows=False),
            ),
            NAMED,
        )
        assert [(kind, turn.after.run) for kind, turn in found] == [(News.RELAPSE, "run-02"), (News.CURE, "run-05")]
        assert [kind.value for kind, _ in found] == ["relapsed", "cured"]

    def test_an_inconclusive_run_is_no_turn(self, catalog: Catalog) -> None:
        """A relapse that an unrunnable run interrupts is reported once."""
        fault = seen(3, shows=True, versions=NEW, ranks=(), fault="no disk", launcher="none")
        found = news(
            history(catalog, seen(2, shows=True, versions=NEW), fault, seen(4, shows=True, versions=NEW)), NAMED
        )
        assert [(turn.before, turn.after.run) for _, turn in found] == [(None, "run-02")]
        later = news(history(catalog, fault, seen(4, shows=True, versions=NEW)), NAMED)
        assert [turn.after.run for _, turn in later] == ["run-04"]

    def test_as_documented_is_none(self, catalog: Catalog) -> None:
        assert news(history(catalog, seen(1, shows=True), seen(2, shows=False, versions=NEW)), NAMED) == []


def test_coverage(catalog: Catalog) -> None:
    """How many of the cells each command ran, the newest first; repetitions count once."""
    known = histories(
        catalog,
        [
            seen(1, shows=True, run="all"),
            seen(2, shows=True, run="all", cell=cell(environment="new")),
            seen(3, shows=True, run="some"),
            seen(4, shows=True, run="other", cell=cell(environment="else")),
        ],
    )
    ran = {label: commands(history) for label, history in known.items()}
    found = coverage([cell(), cell(environment="new")], ran)
    assert [(item.run, item.ran, item.of, item.complete) for item in found] == [
        ("some", 1, 2, False),
        ("all", 2, 2, True),
    ]
    assert found[1].date.startswith("2026-01-01")
