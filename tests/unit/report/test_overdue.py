"""Which default cells have no recent run, and what new releases owe."""

from datetime import UTC, datetime

from repro.model.verdict import Side, Verdict
from repro.report.overdue import found_lines, stale, watched_lines
from repro.report.rows import Row
from repro.search.watch_plan import ReleaseState, SeenChange, Watched, WatchedFloat, WatchedRelease
from repro.store.answers import SkippedRelease, Tried, Turned
from tests.unit.factories import FAILURE, cell

OLDEST = datetime(2026, 11, 1, tzinfo=UTC)


def row(**fields: object) -> Row:
    return Row.model_validate({"cell": cell(), "verdict": "absent", "date": "2026-11-02T00:00:00+00:00", **fields})


def test_recent() -> None:
    assert stale([row(), row(date="2026-11-01T00:00:00+00:00")], OLDEST) == []


def test_reasons() -> None:
    """Never run, not runnable, too old: each with the cell's label; a verdict that is unknown is no run."""
    label = cell().label
    rows = [row(verdict=None), row(verdict="unrunnable", reason="no wheel"), row(date="2026-10-31T23:59:59+00:00")]
    assert stale(rows, OLDEST) == [
        f"{label}: never run as it is today",
        f"{label}: could not be run: no wheel",
        f"{label}: last run on 2026-10-31",
    ]


def release(version: str, state: ReleaseState, **fields: object) -> WatchedRelease:
    facts: dict[str, object] = {"distribution": "lightning", "version": version, "day": "2026-11-20", "state": state}
    return WatchedRelease.model_validate(facts | fields)


def lines(**fields: object) -> list[str]:
    """The lines of one floating environment; the first is its name's, the last counts over all."""
    facts = {"name": "newest", "environment": "newest as of 2026-11-20", "day": "2026-11-20", "base": "old"}
    held = WatchedFloat.model_validate(facts | fields)
    return watched_lines(Watched(date="2026-11-25T00:00:00+00:00", floats=(held,)))


class TestWatchedLines:
    def test_nothing_new(self) -> None:
        assert lines() == [
            "newest as of 2026-11-20: new releases since old: none",
            "0 new releases, 0 runs owed on them, 0 changes not searched",
        ]

    def test_nothing_is_known(self) -> None:
        """An index that cannot be read is not an environment without new releases."""
        assert lines(problem="no index")[:-1] == ["newest as of 2026-11-20: nothing is known: no index"]

    def test_releases(self) -> None:
        """Neither a release that cools nor one that does not resolve counts as run, or as owed."""
        run = {FAILURE: Verdict.ABSENT, "torch-1": Verdict.REPRODUCED}
        looked = {"run": run, "owed": ("torch-2", "torch-3"), "undecided": {"torch-3": "killed"}}
        made = lines(
            releases=(
                release("2.6.0", ReleaseState.COOLING, reason="until 2026-11-27"),
                release("2.5.9", ReleaseState.UNRESOLVED, reason="needs torch<2"),
                release("2.5.8", ReleaseState.OWED, unexpected=("torch-1",), **looked),
            )
        )
        assert made[1:] == [
            "  lightning 2.6.0 of 2026-11-20: cooling until 2026-11-27",
            "  lightning 2.5.9 of 2026-11-20: does not resolve with the others: needs torch<2",
            "  lightning 2.5.8 of 2026-11-20: 2 of 4 records run",
            f"    {FAILURE}: absent",
            "    torch-1: reproduced, not as the record says",
            "    torch-2: owed",
            "    torch-3: owed, no verdict: killed",
            "3 new releases, 2 runs owed on them, 0 changes not searched",
        ]

    def test_left_out(self) -> None:
        left_out = {"torch": (SkippedRelease(version="2.14.0rc1", reason="pre-release"),)}
        assert lines(left_out=left_out)[1:-1] == ["  torch: left out, pre-release: 2.14.0rc1"]

    def test_changes(self) -> None:
        facts = {"failure": FAILURE, "before": "old", "after": "newest", "was": "reproduced", "found": "absent"}
        changes = [SeenChange.model_validate(facts | {"searched": searched}) for searched in (True, False)]
        text = f"  changed: {FAILURE}: reproduced on old, absent on newest; "
        assert lines(changes=tuple(changes))[1:] == [
            f"{text}its release is known",
            f"{text}not searched yet",
            "0 new releases, 0 runs owed on them, 1 changes not searched",
        ]


def test_found() -> None:
    """A change that the rules of today do not see is not announced as one."""
    bad = Tried(label="2.2.1", environment="old", verdict=Verdict.REPRODUCED, side=Side.BAD, reason="")
    good = Tried(label="2.2.2", environment="new", verdict=Verdict.ABSENT, side=Side.GOOD, reason="")
    cured = Turned(
        failure=FAILURE,
        date="2026-11-25T00:00:00+00:00",
        package="lightning",
        last="2.2.1",
        release="2.2.2",
        day="2026-11-20",
        before=bad,
        after=good,
        exact=True,
        locks=("0", "1"),
        seconds=1.0,
    )
    announced, withdrawn = found_lines([cured, cured.model_copy(update={"after": bad})])
    assert announced.startswith(f"lightning 2.2.2 of 2026-11-20: {FAILURE} is cured")
    assert withdrawn == f"lightning 2.2.2: no change of {FAILURE} by the rules of today"
