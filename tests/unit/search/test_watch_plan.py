"""Which releases are new, what they owe, which verdicts changed: decided without an index or a run."""

import json
from dataclasses import replace
from datetime import date

import pytest

from repro.model.failure import Failure
from repro.model.verdict import Side, Verdict
from repro.search.releases import Listing, Release
from repro.search.watch_plan import (
    WATCH_FILE,
    ComparedEnvironment,
    ReleaseState,
    Seen,
    SeenChange,
    Watched,
    WatchedFloat,
    WatchedRelease,
    WatchFacts,
    plan,
)
from repro.store.answers import SkippedRelease, Tried, Turned
from tests.unit.factories import failure

BAD, GOOD, NONE = Seen(Verdict.REPRODUCED), Seen(Verdict.ABSENT), Seen(Verdict.UNRUNNABLE, "no wheel")


def record(name: str, affected: str = ">=1.0", **needs: str) -> Failure:
    return failure(id=f"lib-{name}", affected=[{"lib": affected}], needs={"distributions": needs}, fixed_in={})


def snapshot(name: str, day: str, **versions: str) -> ComparedEnvironment:
    return ComparedEnvironment(name, day, f"digest of {name}", {"torch": "2.0", "other": "1.0", **versions})


OLD = snapshot("newest", "2026-01-10", lib="1.0")
NOW = snapshot("newest as of 2026-03-07", "2026-03-07", lib="1.2")
MIDDLE = snapshot("newest as of 2026-03-07 with lib 1.1", "2026-03-07", lib="1.1")
DAYS = {"0.9": "2025-12-01", "1.0": "2026-01-01", "1.1": "2026-02-01", "1.2": "2026-02-10", "1.3": "2026-03-08"}
ALPHA, BETA = record("alpha"), record("beta", ">=2.0")


def releases(**days: str) -> Listing:
    return Listing(tuple(Release(version=version, day=day) for version, day in days.items()), ())


def facts(**changes: object) -> WatchFacts:
    made = WatchFacts(
        name="newest",
        today=date(2026, 3, 10),
        cooling_days=2,
        current=NOW,
        others=(OLD,),
        comparable=frozenset({OLD.digest}),
        listings={"lib": releases(**DAYS), "torch": releases(**{"2.0": "2025-06-01"})},
        failures=(BETA, ALPHA),
        seen={("lib-alpha", OLD.digest): BAD, ("lib-beta", OLD.digest): GOOD},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def found(made: WatchFacts) -> dict[str, WatchedRelease]:
    return {release.name: release for release in plan(made).watched.releases}


def answer(**changes: object) -> Turned:
    def tried(label: str, verdict: Verdict, side: Side) -> Tried:
        return Tried(label=label, environment=label, verdict=verdict, side=side, reason="")

    values: dict[str, object] = {
        "failure": "lib-alpha",
        "date": "2026-03-10",
        "package": "lib",
        "last": "1.1",
        "release": "1.2",
        "day": "2026-02-10",
        "before": tried("1.1", Verdict.REPRODUCED, Side.BAD),
        "after": tried("1.2", Verdict.ABSENT, Side.GOOD),
        "exact": True,
        "locks": ("x", "y"),
        "seconds": 1.0,
    }
    return Turned.model_validate(values | changes)


class TestReleases:
    """What appeared since the newest complete snapshot."""

    def test_states(self) -> None:
        """Older releases than the one that was run are not new; the newest stack comes first."""
        made = found(facts())
        assert list(made) == ["lib 1.2", "lib 1.1", "lib 1.3"]
        assert made["lib 1.3"].state is ReleaseState.COOLING
        assert made["lib 1.3"].reason == "until 2026-03-11"
        assert made["lib 1.2"].owed == ("lib-beta", "lib-alpha")

    def test_jobs(self) -> None:
        jobs = [(job.failure, job.version, job.in_current) for job in plan(facts()).jobs]
        assert jobs == [
            ("lib-beta", "1.2", True),
            ("lib-alpha", "1.2", True),
            ("lib-beta", "1.1", False),
            ("lib-alpha", "1.1", False),
        ]

    def test_run_without_a_verdict_stays_owed(self) -> None:
        """What could not be run is never taken for run."""
        made = found(facts(seen={("lib-alpha", NOW.digest): NONE, ("lib-beta", NOW.digest): GOOD}))["lib 1.2"]
        assert (made.state, made.owed, made.run) == (ReleaseState.OWED, ("lib-alpha",), {"lib-beta": Verdict.ABSENT})
        assert made.undecided == {"lib-alpha": "unrunnable: no wheel"}
        without = found(facts(seen={("lib-alpha", NOW.digest): Seen(Verdict.UNRUNNABLE)}))["lib 1.2"]
        assert without.undecided == {"lib-alpha": "unrunnable: "}

    def test_a_release_of_the_last_day_is_not_cooling(self) -> None:
        days = {**DAYS, "1.2.1": NOW.day}
        made = found(facts(listings={"lib": releases(**days)}))
        assert made["lib 1.2.1"].state is ReleaseState.OWED
        assert made["lib 1.3"].state is ReleaseState.COOLING

    def test_what_is_no_version_is_no_release(self) -> None:
        days = {**DAYS, "not-a-version": "2026-02-20"}
        assert list(found(facts(listings={"lib": releases(**days)}))) == list(found(facts()))

    def test_records_of_the_library_itself_run_first(self) -> None:
        """A release of torch concerns all records; those that torch decides come before the others."""
        of_torch = failure(id="torch-one", affected=[{"torch": ">=1"}], needs={"distributions": {}}, fixed_in={})
        made = found(
            facts(
                others=(),
                comparable=frozenset(),
                failures=(ALPHA, of_torch),
                listings={"torch": releases(**{"2.0": "2026-03-01"})},
                seen={},
            )
        )
        assert made["torch 2.0"].owed == ("torch-one", "lib-alpha")

    def test_against_the_record(self) -> None:
        """A verdict that the record does not say is named, whether or not there is an earlier run."""
        seen = {("lib-alpha", NOW.digest): GOOD, ("lib-beta", NOW.digest): BAD}
        made = found(facts(seen=seen))["lib 1.2"]
        assert made.unexpected == ("lib-beta", "lib-alpha")
        assert found(facts(seen={("lib-alpha", NOW.digest): BAD}))["lib 1.2"].unexpected == ()

    def test_a_complete_day_moves_on(self) -> None:
        """Releases are counted from the last day on which all were run, not from the lock."""
        later = snapshot("newest as of 2026-03-01", "2026-03-01", lib="1.2")
        current = snapshot("newest as of 2026-03-12", "2026-03-12", lib="1.3")
        made = facts(
            current=current,
            others=(OLD, later),
            comparable=frozenset({OLD.digest, later.digest}),
            seen={("lib-alpha", later.digest): BAD, ("lib-beta", later.digest): GOOD},
        )
        assert list(found(made)) == ["lib 1.3"]
        incomplete = replace(made, seen={**facts().seen, **made.seen, ("lib-beta", later.digest): NONE})
        assert list(found(incomplete)) == ["lib 1.3", "lib 1.1", "lib 1.2"]

    def test_a_day_is_complete_though_unconcerned_records_did_not_run(self) -> None:
        """Where lib alone moved, a record of another library has its verdict on the day before, and that is enough."""
        other = failure(id="lib-other", affected=[{"other": ">=1.0"}], needs={"distributions": {}}, fixed_in={})
        later = snapshot("newest as of 2026-03-01", "2026-03-01", lib="1.2")
        made = facts(
            current=snapshot("newest as of 2026-03-12", "2026-03-12", lib="1.3"),
            others=(OLD, later),
            comparable=frozenset({OLD.digest, later.digest}),
            failures=(ALPHA, other),
            listings={"lib": releases(**DAYS), "other": releases(**{"1.0": "2025-01-01"})},
            seen={("lib-alpha", OLD.digest): BAD, ("lib-alpha", later.digest): BAD, ("lib-other", OLD.digest): BAD},
        )
        assert plan(made).watched.base == later.name
        assert plan(replace(made, seen={("lib-alpha", later.digest): BAD})).watched.base == OLD.name

    def test_a_library_that_a_snapshot_does_not_have_owes_nothing_there(self) -> None:
        """The run of lib 1.1 in another environment completes a snapshot without torch."""
        oldest = snapshot("newest as of 2025-12-20", "2025-12-20", lib="0.9")
        bare = ComparedEnvironment("newest as of 2026-02-03", "2026-02-03", "digest of bare", {"lib": "1.1"})
        made = facts(
            others=(oldest, bare, MIDDLE),
            comparable=frozenset({oldest.digest, bare.digest}),
            failures=(ALPHA,),
            seen={("lib-alpha", MIDDLE.digest): BAD},
        )
        assert plan(made).watched.base == bare.name

    def test_a_first_day_that_was_broken_off(self) -> None:
        """What that day's releases still owe is not forgotten on the next one."""
        made = found(facts(seen={("lib-alpha", OLD.digest): BAD}))
        assert made["lib 1.0"].owed == ("lib-beta",)
        assert made["lib 1.0"].environment == "newest as of 2026-03-07 with lib 1.0"
        assert "lib 1.0" not in found(facts())

    def test_beyond_what_was_ever_tried(self) -> None:
        """Where the record does not know, no verdict contradicts it."""
        record_ = failure(id="lib-alpha", affected=[{"lib": "<1.2"}], open_above={"lib": "1.1"}, fixed_in={})
        made = found(facts(failures=(record_,), seen={("lib-alpha", NOW.digest): BAD}))
        assert made["lib 1.2"].unexpected == ()

    def test_the_first_day(self) -> None:
        """Without anything before it, what the environment holds is owed; older releases are not."""
        made = found(facts(others=(), comparable=frozenset(), seen={}))
        assert {name: release.state for name, release in made.items()} == {
            "lib 1.2": ReleaseState.OWED,
            "torch 2.0": ReleaseState.OWED,
            "lib 1.3": ReleaseState.COOLING,
        }

    def test_the_first_day_when_all_is_run(self) -> None:
        """The releases of the first day stay in the list, with their verdicts."""
        made = found(facts(others=(), comparable=frozenset(), seen={("lib-alpha", NOW.digest): BAD}, failures=(ALPHA,)))
        assert {name: release.state for name, release in made.items()} == {
            "lib 1.2": ReleaseState.RUN,
            "torch 2.0": ReleaseState.RUN,
            "lib 1.3": ReleaseState.COOLING,
        }

    def test_one_run_serves_several_releases(self) -> None:
        """Two new releases in one environment owe one run together."""
        made = plan(facts(others=(), comparable=frozenset(), seen={}, failures=(ALPHA,)))
        assert [release.owed for release in made.watched.releases] == [("lib-alpha",), ("lib-alpha",), ()]
        assert len(made.jobs) == 1

    def test_torch_concerns_every_record(self) -> None:
        current = replace(NOW, versions={**NOW.versions, "torch": "2.1", "lib": "1.0"})
        torch = releases(**{"2.0": "2025-06-01", "2.1": "2026-02-01"})
        made = found(facts(current=current, listings={"torch": torch}))
        assert made["torch 2.1"].owed == ("lib-beta", "lib-alpha")

    def test_a_record_that_does_not_apply_owes_nothing(self) -> None:
        made = found(facts(failures=(record("alpha", lib="<1.2"), record("beta", missing=">=1"))))
        assert (made["lib 1.2"].state, made["lib 1.2"].owed) == (ReleaseState.RUN, ())
        assert made["lib 1.1"].owed == ("lib-alpha",)

    def test_unresolved(self) -> None:
        reason = {MIDDLE.name: "lib 1.1 needs other>=9"}
        now = {(name, NOW.digest): GOOD for name in ("lib-alpha", "lib-beta")}
        made = plan(facts(unresolved=reason, seen={**facts().seen, **now}))
        state = {release.name: release.state for release in made.watched.releases}
        assert state["lib 1.1"] is ReleaseState.UNRESOLVED
        assert not made.jobs

    def test_left_out(self) -> None:
        """Yanked and denied releases are named, those before the last run are not, nor are pre-releases."""
        reasons = {"0.8": "yanked: old", "1.1.1": "yanked: no", "1.1.2": "denied: bad", "2.0rc1": "pre-release"}
        entries = tuple(SkippedRelease(version=version, reason=reason) for version, reason in reasons.items())
        listed = Listing(releases(**DAYS).releases, entries)
        made = plan(facts(listings={"lib": listed})).watched
        assert [entry.version for entry in made.left_out["lib"]] == ["1.1.1", "1.1.2"]
        without = replace(OLD, versions={"torch": "2.0"})
        assert plan(facts(listings={"lib": listed}, others=(without,))).watched.left_out == {}

    def test_a_prerelease_counts_only_where_the_environment_holds_it(self) -> None:
        days = {**DAYS, "2.0rc1": "2026-02-20", "2.0rc2": "2026-02-21"}
        assert "lib 2.0rc1" not in found(facts(listings={"lib": releases(**days)}))
        current = replace(NOW, versions={**NOW.versions, "lib": "2.0rc2"})
        made = found(facts(current=current, listings={"lib": releases(**days)}))
        assert "lib 2.0rc2" in made
        assert "lib 2.0rc1" not in made


class TestChanges:
    """Verdicts that are not the ones before."""

    def seen(self, **changes: Seen) -> dict[tuple[str, str], Seen]:
        held = {("lib-alpha", OLD.digest): BAD, ("lib-beta", OLD.digest): GOOD}
        return held | {(f"lib-{name}", NOW.digest): seen for name, seen in changes.items()}

    def test_cure_and_relapse(self) -> None:
        turns = plan(facts(seen=self.seen(alpha=GOOD, beta=BAD))).turns
        assert [(turn.failure, turn.before.name, turn.after.name) for turn in turns] == [
            ("lib-beta", "newest", NOW.name),
            ("lib-alpha", "newest", NOW.name),
        ]

    @pytest.mark.parametrize("after", [BAD, NONE, Seen(Verdict.DIFFERENT), Seen(Verdict.FLAKY)])
    def test_nothing_is_concluded_from_what_gave_no_verdict(self, after: Seen) -> None:
        """A crash for another reason is neither a cure nor a relapse."""
        assert plan(facts(seen=self.seen(alpha=after))).turns == ()

    def test_a_record_without_a_verdict_hides_no_other(self) -> None:
        """The records after it are compared all the same."""
        turns = plan(facts(seen=self.seen(beta=NONE, alpha=GOOD))).turns
        assert [turn.failure for turn in turns] == ["lib-alpha"]

    def test_where_a_change_is_looked_for(self) -> None:
        """In today's environment and in those with a held release; an earlier day was compared on that day."""
        later = snapshot("newest as of 2026-02-05", "2026-02-05", lib="1.1")
        made = facts(
            others=(OLD, later, MIDDLE),
            comparable=frozenset({OLD.digest, later.digest}),
            seen={("lib-alpha", OLD.digest): BAD, ("lib-alpha", later.digest): GOOD},
        )
        assert plan(made).turns == ()
        held = replace(made, seen={**made.seen, ("lib-alpha", MIDDLE.digest): BAD})
        assert [(turn.before.name, turn.after.name) for turn in plan(held).turns] == [(later.name, MIDDLE.name)]

    def test_a_library_that_came_or_went(self) -> None:
        """It is not newer than before, and no release of it lies between the two environments."""
        for before, after in (({}, {"extra": "1.2"}), ({"extra": "1.1"}, {})):
            old, now = (
                replace(held, versions={**held.versions, **versions})
                for held, versions in ((OLD, before), (NOW, after))
            )
            made = facts(
                current=now,
                others=(old,),
                listings={**facts().listings, "extra": releases(**DAYS)},
                seen=self.seen(alpha=GOOD),
                known=[answer(package="extra")],
            )
            assert [change.searched for change in plan(made).watched.changes] == [False]

    def test_an_answer_whose_release_is_no_version_explains_nothing(self) -> None:
        made = plan(facts(seen=self.seen(alpha=GOOD), known=[answer(release="main")]))
        assert [change.searched for change in made.watched.changes] == [False]

    def test_no_earlier_verdict(self) -> None:
        seen = {("lib-alpha", OLD.digest): NONE, ("lib-alpha", NOW.digest): GOOD}
        assert plan(facts(seen=seen)).turns == ()

    def test_two_environments_of_one_day(self) -> None:
        """A snapshot of the same day is earlier than today's environment, if its libraries are no newer."""
        made = facts(others=(replace(OLD, day=NOW.day),), seen=self.seen(alpha=GOOD))
        assert len(plan(made).turns) == 1

    def test_a_patch_of_an_older_series(self) -> None:
        """1.0.1, younger than 1.1, is not compared with it: that it shows what 1.1 mended is no relapse."""
        latest = snapshot("newest", "2026-01-10", lib="1.1")
        patch = snapshot("newest as of 2026-03-07 with lib 1.0.1", "2026-03-07", lib="1.0.1")
        made = facts(
            others=(latest, patch),
            comparable=frozenset({latest.digest}),
            seen={("lib-alpha", latest.digest): GOOD, ("lib-alpha", patch.digest): BAD},
        )
        assert plan(made).turns == ()

    @pytest.mark.parametrize(
        ("known", "searched"),
        [
            ({"locks": (OLD.digest, NOW.digest), "exact": False}, True),
            ({}, True),
            ({"release": "1.3"}, False),
            ({"exact": False}, False),
            ({"failure": "lib-beta"}, False),
            ({"release": "1.0", "last": "0.9"}, False),
            ({"before": answer().after, "after": answer().before}, False),
            ({"before": answer().after}, False),
        ],
    )
    def test_known(self, known: dict[str, object], *, searched: bool) -> None:
        """What a stored answer explains is not searched again; another answer explains nothing."""
        made = plan(facts(seen=self.seen(alpha=GOOD, beta=GOOD), known=[answer(**known)]))
        assert [change.searched for change in made.watched.changes] == [searched]
        assert len(made.turns) == (not searched)
        assert made.watched.is_owed


def test_sentences() -> None:
    """By the runs, the record and the bisection."""
    cured = answer()
    assert "lib-alpha is cured (1.1 shows it, 1.2 does not, 0 of 0), the cap can go" in cured.sentence
    assert answer(exact=False).sentence.endswith("the release between them is not known exactly")
    agreed = cured.after.model_copy(update={"affected": False})
    assert answer(after=agreed).sentence.endswith("as the record says")
    assert "is back (1.1 does not show it, 1.2 does" in answer(before=cured.after, after=cured.before).sentence
    assert not answer(after=cured.before).holds


def test_unexpected_counts_over_all() -> None:
    """A verdict against a record counts once for each release of each floating environment."""
    facts = {"distribution": "torch", "version": "2.14.0", "day": "2026-11-20", "state": ReleaseState.RUN}
    releases = [WatchedRelease.model_validate(facts | {"unexpected": names}) for names in (("a", "b"), ("a",), ())]
    floats = tuple(WatchedFloat(name=name, day="2026-11-20", releases=tuple(releases)) for name in ("one", "other"))
    assert Watched(date="2026-11-25T00:00:00+00:00", floats=floats).unexpected == 6


class TestOwed:
    """What makes a look at the index report work, and how much."""

    def look(self, **changes: object) -> Watched:
        held = WatchedFloat.model_validate({"name": "one", "day": "2026-11-20"} | changes)
        return Watched(date="2026-11-25T00:00:00+00:00", floats=(held, WatchedFloat(name="b", day="2026-11-20")))

    def release(self, state: ReleaseState, *owed: str) -> WatchedRelease:
        return WatchedRelease(distribution="torch", version="2.14.0", day="2026-11-20", state=state, owed=owed)

    @pytest.mark.parametrize("state", ReleaseState)
    def test_only_a_release_that_is_owed(self, state: ReleaseState) -> None:
        """What is run, cooling or does not resolve asks for no work."""
        assert self.look(releases=(self.release(state),)).is_owed is (state is ReleaseState.OWED)

    def test_runs_are_counted_over_all_releases(self) -> None:
        made = self.look(releases=(self.release(ReleaseState.OWED, "a", "b"), self.release(ReleaseState.OWED, "a")))
        assert (made.owed, self.look().owed) == (3, 0)

    def test_only_changes_that_were_not_searched(self) -> None:
        names = {"failure": "a", "before": "x", "after": "y", "was": Verdict.ABSENT, "found": Verdict.REPRODUCED}
        searched = [SeenChange.model_validate(names | {"searched": known}) for known in (True, False, False)]
        assert (self.look(changes=searched).unsearched, self.look(changes=searched).is_owed) == (2, True)
        assert (self.look(changes=searched[:1]).unsearched, self.look(changes=searched[:1]).is_owed) == (0, False)


def test_the_stored_format() -> None:
    """Files that users have are read, and written, with these words; what a file leaves out is empty."""
    release = {"distribution": "torch", "version": "2.14.0", "day": "2026-11-20"}
    change = {"failure": "a", "before": "x", "after": "y", "was": "absent", "found": "reproduced"}
    states = ("run", "owed", "cooling", "does not resolve")
    held = {"name": "one", "day": "2026-11-20", "releases": [release | {"state": state} for state in states]}
    text = json.dumps({"date": "2026-11-25T00:00:00+00:00", "floats": [held | {"changes": [change]}]})
    made = Watched.model_validate_json(text)
    assert made.model_dump(mode="json")["format"] == 1
    with pytest.raises(ValueError, match="format"):
        Watched.model_validate_json(text.replace('{"date"', '{"format": 2, "date"'))
    (floating,) = made.model_dump(mode="json")["floats"]
    assert [each["state"] for each in floating["releases"]] == list(states)
    empty = {"reason": "", "environment": "", "run": {}, "owed": [], "undecided": {}, "unexpected": []}
    assert floating["releases"][0] == release | {"state": "run"} | empty
    assert floating["changes"] == [change | {"searched": False}]
    assert {key: floating[key] for key in ("environment", "base", "problem", "left_out")} == {
        "environment": "", "base": "", "problem": "", "left_out": {},
    }  # fmt: skip
    assert WATCH_FILE == "watch.json"


def test_an_earlier_look_is_kept_where_this_one_did_not_look() -> None:
    """The older day counts: nobody may take an old answer for one of today."""
    old = Watched(
        date="2026-03-01T00:00:00+00:00",
        floats=(
            WatchedFloat(name="a", day="2026-02-27", problem="no network"),
            WatchedFloat(name="b", day="2026-02-27"),
        ),
    )
    new = Watched(date="2026-03-10T00:00:00+00:00", floats=(WatchedFloat(name="b", day="2026-03-08"),))
    both = new.beside(old)
    assert both.date == old.date
    assert [(held.name, held.day) for held in both.floats] == [("a", "2026-02-27"), ("b", "2026-03-08")]
    assert [look.is_owed for look in (old, new, both)] == [True, False, True]
