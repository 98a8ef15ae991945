"""Searches led with a source of verdicts that is made up: no index, no environment, no run."""

import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from repro.environments.locks import Lock, Locked
from repro.model.affected import is_affected
from repro.model.errors import ContradictionError, EnvironmentFailure, Exit, RecordError, UndecidedError, UsageError
from repro.model.failure import Failure
from repro.model.matrix import Environment
from repro.model.rate import Rate
from repro.model.verdict import Side, Verdict, side_of
from repro.report.answers import bisected_lines, blamed_lines
from repro.search.environments import Vector
from repro.search.lead import LATEST, exit_of_answer, lead_bisection, lead_blame, lead_sweep
from repro.search.log import SearchLog
from repro.search.question import Ends, question_of_days, question_of_releases, releases_to_search
from repro.search.rare_runs import runs_of_point
from repro.search.releases import IndexFile
from repro.search.start import base_of, vector_of
from repro.search.verdict_source import Replay
from repro.search.write import amend_record
from repro.store.answers import Bisected, Blamed, Every, Role, Run, Tried
from tests.unit import factories

Rule = Callable[[Mapping[str, str]], Verdict]
RELEASES = [f"2.{minor}.{patch}" for minor in range(5) for patch in range(3)]
DAY_OF = {version: f"2024-03-{number + 1:02}" for number, version in enumerate(RELEASES)}
ENVIRONMENT = Environment(cutoff="2024-03-28", pins={"torch": "2.2.2", "lightning": "2.2.1"}, why="affected")
BASE = Vector("old", ENVIRONMENT, {"torch": "2.2.2", "lightning": "2.2.1"})
FAILURE = factories.failure()
"""Its record says: affected are 2.1.0 to 2.2.1."""


class FakeSource:
    """Knows what each set of versions shows; locks hold the pins, and the newest lightning of a day."""

    def __init__(self, rule: Rule, failure: Failure = FAILURE, stop_after: int | None = None) -> None:
        self.rule = rule
        self.failure = failure
        self.environments: dict[str, Environment] = {"old": ENVIRONMENT}
        self.asked: list[str] = []
        self.ahead: list[tuple[str, ...]] = []
        self.stop_after = stop_after
        self.unlockable = False
        self.required: dict[str, tuple[str, ...]] = {}
        self.repeated: list[str] = []
        self.torchrun: Rule | None = None
        """What torchrun shows, if it is something else."""
        self.runs = 0

    def define(self, definitions: Mapping[str, Environment]) -> None:
        self.environments.update(definitions)

    def versions(self, name: str) -> dict[str, str]:
        environment = self.environments[name]
        held = dict(environment.pins)
        if "lightning" in environment.floating:
            held["lightning"] = max(v for v, day in DAY_OF.items() if day <= environment.cutoff)
        if "torch" in environment.floating:
            held["torch"] = "2.2.2" if environment.cutoff < "2024-03-08" else "2.3.0"
        return held

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        if len(self.asked) + len(self.repeated) == self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(name)
        self.ahead.append(tuple(ahead))
        return self._fact(name, label, [self.rule(self.versions(name))], "warm")

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        if len(self.asked) + len(self.repeated) == self.stop_after:
            raise KeyboardInterrupt
        self.repeated.append(name)
        rule = self.torchrun or self.rule
        return self._fact(name, label, [rule(self.versions(name)) for _ in range(runs)], "torchrun")

    def _fact(self, name: str, label: str, verdicts: list[Verdict], launcher: Literal["warm", "torchrun"]) -> Tried:
        assert all(other in self.environments for ahead in self.ahead for other in ahead)
        versions = self.versions(name)
        verdict = verdicts[0] if len(set(verdicts)) == 1 else Verdict.FLAKY
        first = self.runs + 1
        self.runs += len(verdicts)
        runs = tuple(
            Run(observation=f"obs-{first + n}", verdict=found, launcher=launcher) for n, found in enumerate(verdicts)
        )
        told = verdict is not Verdict.UNRUNNABLE
        return Tried(
            label=label,
            environment=name,
            verdict=verdict,
            side=side_of(verdict),
            reason="because",
            versions=versions if told else {},
            affected=is_affected(self.failure, versions) if told else None,
            observations=tuple(run.observation for run in runs),
            runs=runs,
            seconds=1.0,
        )

    def lock(self, name: str) -> Lock:
        if self.unlockable:
            raise EnvironmentFailure("no network")
        return Lock((), tuple(Locked(key, value, f"{key}=={value}") for key, value in self.versions(name).items()))

    def requirements(self, name: str) -> dict[str, tuple[str, ...]]:
        if self.unlockable:
            raise EnvironmentFailure("no network")
        assert name in self.environments
        return self.required


def between(first: str, last: str) -> Rule:
    """Bad from one lightning to another, both included."""
    order = RELEASES.index
    return lambda versions: (
        Verdict.REPRODUCED if order(first) <= order(versions["lightning"]) <= order(last) else Verdict.ABSENT
    )


def fetch(_name: str) -> list[IndexFile]:
    return [
        IndexFile(f"lightning-{v}-py3-none-any.whl", v, "wheel", datetime.fromisoformat(day).replace(tzinfo=UTC))
        for v, day in DAY_OF.items()
    ]


def begin(tmp_path: Path, good: str | None = None, bad: str | None = None, name: str = "log") -> SearchLog:
    found = releases_to_search(factories.matrix(), FAILURE, BASE, "lightning", fetch)
    question = question_of_releases(FAILURE, BASE, found, Ends(good, bad))
    return SearchLog.begin(tmp_path / f"{name}.jsonl", question)


def quiet(_text: str) -> None: ...


class TestBisection:
    def test_finds_the_mending_release_and_the_record_agrees(self, tmp_path: Path) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        answer = lead_bisection(source, FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        assert (answer.before.label, answer.after.label) == ("2.2.1", "2.2.2")
        assert answer.older is Side.BAD
        assert answer.agrees is True
        assert exit_of_answer(answer) is Exit.OK
        assert answer.upstream == ("https://example.org/19492",)
        assert len(source.asked) <= 4 + 2 + 2
        assert len(source.asked) + sum(fact.conclusive for fact in answer.tried) >= 2 * 4
        assert answer.confirmed
        assert not answer.noisy
        assert (answer.before.conclusive, answer.after.conclusive) == (3, 4)
        assert answer.also_moved == ()
        assert "old" in source.asked
        assert answer.blame is None

    @pytest.mark.parametrize("seed", range(5))
    def test_a_rare_failure(self, tmp_path: Path, seed: int) -> None:
        """Every good point has as many clean runs through torchrun as the rate asks for."""
        rate = Rate(runs=20, at_least=8)
        coin, steady = random.Random(seed), between("2.1.0", "2.2.1")
        source = FakeSource(lambda held: steady(held) if coin.random() < 0.6 else Verdict.ABSENT)
        rare = FAILURE.model_copy(update={"rate": rate})
        answer = lead_bisection(source, rare, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        assert (answer.before.label, answer.after.label) == ("2.2.1", "2.2.2")
        assert answer.noisy
        assert source.asked == []
        good = [fact for fact in answer.tried if fact.side is Side.GOOD]
        assert all(len(fact.runs) >= runs_of_point(rate, 1).runs for fact in good)

    def test_finds_the_breaking_release(self, tmp_path: Path) -> None:
        answer = lead_bisection(
            FakeSource(between("2.1.0", "2.2.1")), FAILURE, begin(tmp_path, "2.0.0", "2.2.0"), quiet
        )
        assert (answer.before.label, answer.after.label, answer.older) == ("2.0.2", "2.1.0", Side.GOOD)

    def test_a_record_that_is_wrong_is_said(self, tmp_path: Path) -> None:
        answer = lead_bisection(
            FakeSource(between("2.1.0", "2.3.0")), FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet
        )
        assert answer.before.label == "2.3.0"
        assert answer.agrees is False
        assert {fact.label for fact in answer.disagreeing} >= {"2.3.0"}
        assert exit_of_answer(answer) is Exit.CHANGED

    @pytest.mark.parametrize("verdict", [Verdict.UNRUNNABLE, Verdict.DIFFERENT, Verdict.FLAKY])
    def test_what_cannot_be_told_gives_a_range(self, tmp_path: Path, verdict: Verdict) -> None:
        inner = between("2.1.0", "2.2.1")
        source = FakeSource(lambda held: verdict if held["lightning"] in {"2.2.1", "2.2.2"} else inner(held))
        answer = lead_bisection(source, FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        assert (answer.before.label, answer.after.label) == ("2.2.0", "2.3.0")
        assert [fact.label for fact in answer.untested] == ["2.2.1", "2.2.2"]
        assert {fact.verdict for fact in answer.untested} == {verdict}
        assert answer.agrees is None
        assert exit_of_answer(answer) is Exit.UNKNOWN

    @pytest.mark.parametrize(
        ("good", "bad", "words"),
        [
            (
                "2.4.2",
                "2.0.0",
                "lightning 2.0.0, the older end, is good in 3 runs through torchrun, but bad was expected: absent",
            ),
            (
                "2.2.0",
                "2.1.0",
                "lightning 2.2.0, the newer end, is bad in 3 runs through torchrun, but good was expected",
            ),
        ],
    )
    def test_a_contradiction_names_the_end_and_the_verdict(
        self, tmp_path: Path, good: str, bad: str, words: str
    ) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        with pytest.raises(ContradictionError, match=words) as caught:
            lead_bisection(source, FAILURE, begin(tmp_path, good, bad), quiet)
        assert caught.value.exit_code is Exit.USAGE
        assert len(source.asked) <= 2

    def test_an_end_that_cannot_be_told(self, tmp_path: Path) -> None:
        with pytest.raises(UndecidedError, match=r"lightning 2.1.0, the older end, gave no verdict: .*; name another"):
            lead_bisection(FakeSource(lambda _: Verdict.UNRUNNABLE), FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)

    def test_nothing_is_answered_before_both_neighbours_were_run_again(self, tmp_path: Path) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        journal = begin(tmp_path, "2.4.2", "2.1.0")
        lead_bisection(source, FAILURE, journal, quiet)
        lines = journal.file.read_text().splitlines(keepends=True)
        journal.file.write_text("".join(lines[:-1]))
        with pytest.raises(UndecidedError, match="its answer is not confirmed"):
            lead_bisection(Replay(), FAILURE, SearchLog.read(journal.file), quiet)

    def test_a_failure_that_shows_sometimes_gives_the_right_answer(self, tmp_path: Path) -> None:
        rng = random.Random(13)
        inner = between("2.1.0", "2.2.1")
        rule: Rule = lambda held: inner(held) if rng.random() < 2 / 3 else Verdict.ABSENT  # noqa: E731
        answers = []
        for trial in range(12):
            with suppress(ContradictionError):
                journal = begin(tmp_path, "2.4.2", "2.1.0", f"log-{trial}")
                answers.append(lead_bisection(FakeSource(rule), FAILURE, journal, quiet))
        assert {(answer.before.label, answer.after.label) for answer in answers} == {("2.2.1", "2.2.2")}
        noisy = [answer for answer in answers if answer.noisy]
        assert len(noisy) > 6
        for answer in noisy:
            assert (answer.before.verdict, answer.before.side) == (Verdict.FLAKY, Side.BAD)
            assert "absent in" in answer.before.reason
            assert answer.after.conclusive >= 16
            assert exit_of_answer(answer) is Exit.OK

    def test_a_failure_that_shows_too_seldom_is_noisy_k_of_n(self, tmp_path: Path) -> None:
        runs = iter(range(1000))
        inner = between("2.1.0", "2.2.1")
        rule: Rule = lambda held: inner(held) if next(runs) % 9 == 0 else Verdict.ABSENT  # noqa: E731
        with pytest.raises(UndecidedError, match=r"lightning 2.1.0 is noisy: the failure shows in [1-4] of \d+ runs"):
            lead_bisection(FakeSource(rule), FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)

    def test_torchrun_has_the_last_word(self, tmp_path: Path) -> None:
        """The warm launcher shows a fault of its own: the failure from 2.2.0 on only."""
        source = FakeSource(between("2.1.0", "2.1.2"))
        source.torchrun = between("2.1.0", "2.3.0")
        answer = lead_bisection(source, FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        assert (answer.before.label, answer.after.label) == ("2.3.0", "2.3.1")
        assert answer.launchers_disagree
        assert not answer.noisy
        assert answer.before.verdict is Verdict.REPRODUCED
        assert "only its runs were counted" in " ".join(bisected_lines(answer))

    def test_neighbours_that_cannot_be_run_again_become_a_range(self, tmp_path: Path) -> None:
        inner = between("2.1.0", "2.2.1")
        source = FakeSource(inner)
        source.torchrun = lambda held: Verdict.UNRUNNABLE if held["lightning"] == "2.2.2" else inner(held)
        answer = lead_bisection(source, FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        assert (answer.before.label, answer.after.label) == ("2.2.1", "2.3.0")
        assert [fact.label for fact in answer.untested] == ["2.2.2"]

    def test_a_source_that_runs_nothing_more_ends_the_search(self, tmp_path: Path) -> None:
        """Else it would ask for the same runs for ever."""
        source = FakeSource(between("2.1.0", "2.2.1"))
        journal = begin(tmp_path, "2.4.2", "2.1.0")
        source.repeat = lambda _name, label, _runs: journal.facts(label)[0]  # type: ignore[method-assign, assignment]
        with pytest.raises(UndecidedError, match=r"lightning 2.2.1 could not be run again"):
            lead_bisection(source, FAILURE, journal, quiet)

    def test_the_strip_of_a_sweep_hints_at_another_change(self, tmp_path: Path) -> None:
        inner = between("2.1.0", "2.2.1")
        swept_rule: Rule = lambda held: Verdict.REPRODUCED if held["lightning"] == "2.4.2" else inner(held)  # noqa: E731
        found = releases_to_search(factories.matrix(), FAILURE, BASE, "lightning", fetch)
        strip = lead_sweep(FakeSource(swept_rule), FAILURE, BASE, found, every=Every.ALL, notify=quiet, latest=False)
        answer = lead_bisection(FakeSource(inner), FAILURE, begin(tmp_path, "2.4.1", "2.1.0"), quiet, [strip])
        (hint,) = answer.other_changes
        assert "turns 3 times: 2.0.2 good to 2.1.0 bad, 2.2.1 bad to 2.2.2 good, 2.4.1 good to 2.4.2 bad" in hint
        assert not answer.lower_end_open, "the sweep ran older releases"
        assert f"not the only change: {hint}" in bisected_lines(answer)
        other = strip.model_copy(update={"role": "writer", "roles": {"reader": "old"}})
        answer = lead_bisection(FakeSource(inner), FAILURE, begin(tmp_path, "2.4.1", "2.1.0", "other"), quiet, [other])
        assert not answer.other_changes, "what another role's releases show is no change of this one"
        assert answer.lower_end_open

    def test_both_next_midpoints_are_prepared(self, tmp_path: Path) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        lead_bisection(source, FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        for ahead, following in zip(source.ahead, source.asked[1:], strict=False):
            assert following in ahead

    def test_resumes_after_an_interruption_where_it_was(self, tmp_path: Path) -> None:
        rule = between("2.1.0", "2.2.1")
        whole = FakeSource(rule)
        expected = lead_bisection(whole, FAILURE, begin(tmp_path, "2.4.2", "2.1.0", "whole"), quiet)
        journal = begin(tmp_path, "2.4.2", "2.1.0")
        first = FakeSource(rule, stop_after=3)
        with pytest.raises(KeyboardInterrupt):
            lead_bisection(first, FAILURE, journal, quiet)
        second = FakeSource(rule)
        answer = lead_bisection(second, FAILURE, SearchLog.read(journal.file), quiet)
        assert first.asked + second.asked == whole.asked
        assert first.repeated + second.repeated == whole.repeated
        assert (answer.before.label, answer.after.label) == (expected.before.label, expected.after.label)
        assert [fact.label for fact in answer.tried] == [fact.label for fact in expected.tried]

    def test_a_log_is_replayed_without_a_run(self, tmp_path: Path) -> None:
        journal = begin(tmp_path, "2.4.2", "2.1.0")
        answer = lead_bisection(FakeSource(between("2.1.0", "2.2.1")), FAILURE, journal, quiet)
        again = lead_bisection(Replay(), FAILURE, SearchLog.read(journal.file), quiet)
        assert (again.before, again.after, again.tried) == (answer.before, answer.after, answer.tried)

    def test_a_replay_of_half_a_log_says_so(self, tmp_path: Path) -> None:
        journal = begin(tmp_path, "2.4.2", "2.1.0")
        with pytest.raises(UndecidedError, match="the log ends before"):
            lead_bisection(Replay(), FAILURE, journal, quiet)

    def test_other_packages_that_moved_are_named(self, tmp_path: Path) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        plain = source.versions
        source.versions = lambda name: plain(name) | {"numpy": "2" if "2.2.2" in name else "1"}  # type: ignore[method-assign]
        answer = lead_bisection(source, FAILURE, begin(tmp_path, "2.4.2", "2.1.0"), quiet)
        assert answer.also_moved == ("numpy 1 → 2",)


class TestDays:
    def question(self, tmp_path: Path, good: str, bad: str) -> SearchLog:
        question = question_of_days(FAILURE, BASE, good=good, bad=bad, keep={})
        return SearchLog.begin(tmp_path / "days.jsonl", question)

    def test_finds_the_day_and_tells_its_packages_apart(self, tmp_path: Path) -> None:
        """On 2024-03-08 both lightning 2.2.1 and torch 2.3.0 come; only the latter cures."""
        source = FakeSource(lambda held: Verdict.ABSENT if held["torch"] == "2.3.0" else Verdict.REPRODUCED)
        answer = lead_bisection(source, FAILURE, self.question(tmp_path, "2024-03-15", "2024-03-01"), quiet)
        assert (answer.before.label, answer.after.label) == ("2024-03-07", "2024-03-08")
        assert answer.blame is not None
        assert answer.blame.causes == (("torch",),)
        assert {change.distribution: change.part for change in answer.blame.changes} == {
            "torch": Role.GUILTY,
            "lightning": Role.INNOCENT,
        }
        assert answer.agrees is None
        assert exit_of_answer(answer) is Exit.OK

    def test_a_single_change_needs_no_more_runs(self, tmp_path: Path) -> None:
        source = FakeSource(between("2.0.0", "2.0.1"))
        answer = lead_bisection(source, FAILURE, self.question(tmp_path, "2024-03-05", "2024-03-01"), quiet)
        assert answer.blame is not None
        assert answer.blame.causes == (("lightning",),)
        assert answer.blame.tried == ()

    def test_without_locks_there_is_no_blame(self, tmp_path: Path) -> None:
        source = FakeSource(between("2.0.0", "2.0.1"))
        source.unlockable = True
        assert lead_bisection(source, FAILURE, self.question(tmp_path, "2024-03-05", "2024-03-01"), quiet).blame is None


def pair(**ends: tuple[str, str]) -> tuple[Vector, Vector]:
    start, end = ({name: held[side] for name, held in ends.items()} for side in (0, 1))
    made = []
    for name, versions in (("old", start), ("new", end)):
        environment = Environment(cutoff="2024-03-28", pins=versions, why="test")
        made.append(Vector(name, environment, versions, ("2024-03-28",)))
    return made[0], made[1]


def parts(answer: Blamed) -> dict[str, Role]:
    return {change.distribution: change.part for change in answer.changes}


class TestBlame:
    def source(self, start: Vector, end: Vector, rule: Rule) -> FakeSource:
        source = FakeSource(rule)
        source.define({held.name: held.environment for held in (start, end)})
        return source

    def test_two_moved_and_one_is_guilty(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"), same=("1", "1"))
        source = self.source(start, end, lambda held: Verdict.REPRODUCED if held["b"] == "2" else Verdict.ABSENT)
        answer = lead_blame(source, FAILURE, start, end, notify=quiet)
        assert answer.causes == (("b",),)
        assert [(change.distribution, change.part) for change in answer.changes] == [
            ("a", Role.INNOCENT),
            ("b", Role.GUILTY),
        ]
        assert exit_of_answer(answer) is Exit.OK

    def test_it_needs_two_together(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"), c=("1", "2"))
        rule: Rule = lambda held: Verdict.REPRODUCED if held["a"] == held["c"] == "2" else Verdict.ABSENT  # noqa: E731
        answer = lead_blame(self.source(start, end, rule), FAILURE, start, end, notify=quiet)
        assert answer.causes == (("a", "c"),)
        assert answer.changes[1].part is Role.INNOCENT

    def test_what_does_not_resolve_is_no_evidence(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"))

        def rule(held: Mapping[str, str]) -> Verdict:
            if held["a"] != held["b"]:
                return Verdict.UNRUNNABLE
            return Verdict.REPRODUCED if held["a"] == "2" else Verdict.ABSENT

        answer = lead_blame(self.source(start, end, rule), FAILURE, start, end, notify=quiet)
        assert {change.part for change in answer.changes} == {Role.NEEDED}
        assert exit_of_answer(answer) is Exit.UNKNOWN

    def test_what_a_release_requires_belongs_to_its_change(self) -> None:
        """``hub`` is pinned by neither end, ``lib`` 1 needs ``hub`` 1, and ``lib`` 2 needs ``hub`` 2."""
        start, end = pair(lib=("1", "2"), hub=("1", "2"), other=("1", "2"))

        def rule(held: Mapping[str, str]) -> Verdict:
            if held["lib"] != held["hub"]:
                return Verdict.UNRUNNABLE
            return Verdict.REPRODUCED if held["lib"] == "2" else Verdict.ABSENT

        source = self.source(start, end, rule)
        source.required = {"lib": ("hub>=2", "other"), "hub": ()}
        answer = lead_blame(source, FAILURE, start, end, notify=quiet)
        assert answer.causes == (("lib",),)
        assert answer.required == {"lib": ("hub",)}
        assert answer.cause_text(answer.causes[0]) == "lib 2, with what it requires: hub 2"
        assert parts(answer) == {"hub": Role.REQUIRED, "lib": Role.GUILTY, "other": Role.INNOCENT}
        assert blamed_lines(answer) == [
            "cause       lib 2, with what it requires: hub 2",
            "  hub 1 → 2: moved with the guilty one, which requires it; could not be tried alone: unrunnable: because",
            "  lib 1 → 2: guilty",
            "  other 1 → 2: innocent (tested)",
        ]
        # Which of the two it is is not known.
        assert exit_of_answer(answer) is Exit.UNKNOWN
        assert "old with hub 2" in source.asked
        assert source.repeated == ["old", "new", "old with hub 2, lib 2", "old with other 2"]

    def test_what_is_required_can_be_innocent(self) -> None:
        start, end = pair(lib=("1", "2"), hub=("1", "2"))
        source = self.source(start, end, lambda held: Verdict.REPRODUCED if held["lib"] == "2" else Verdict.ABSENT)
        source.required = {"lib": ("hub>=2",)}
        answer = lead_blame(source, FAILURE, start, end, notify=quiet)
        assert answer.causes == (("lib",),)
        assert parts(answer) == {"lib": Role.GUILTY, "hub": Role.INNOCENT}
        assert exit_of_answer(answer) is Exit.OK

    def test_what_is_required_can_be_guilty(self) -> None:
        start, end = pair(lib=("1", "2"), hub=("1", "2"))
        source = self.source(start, end, lambda held: Verdict.REPRODUCED if held["hub"] == "2" else Verdict.ABSENT)
        source.required = {"lib": ("hub>=2",)}
        answer = lead_blame(source, FAILURE, start, end, notify=quiet)
        assert answer.causes == (("hub",),)
        assert answer.required == {}
        assert parts(answer) == {"lib": Role.UNTESTED, "hub": Role.GUILTY}

    def test_without_metadata_nothing_is_known_to_be_required(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"))
        source = self.source(start, end, lambda held: Verdict.REPRODUCED if held["b"] == "2" else Verdict.ABSENT)
        source.unlockable = True
        said: list[str] = []
        assert lead_blame(source, FAILURE, start, end, notify=said.append).causes == (("b",),)
        assert "new: the requirements of its releases are not known: no network" in said

    def test_a_noisy_cause_is_no_blame(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"))
        runs = iter(range(100))

        def rule(held: Mapping[str, str]) -> Verdict:
            if held["a"] == held["b"]:
                return Verdict.REPRODUCED if held["a"] == "2" else Verdict.ABSENT
            return Verdict.REPRODUCED if held["b"] == "2" and next(runs) % 2 == 0 else Verdict.ABSENT

        with pytest.raises(UndecidedError, match=r"b 1 → 2 is noisy: the failure shows in 2 of 4 runs"):
            lead_blame(self.source(start, end, rule), FAILURE, start, end, notify=quiet)

    def test_noisy_ends_are_refused_before_anything_is_tried(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"))
        runs = iter(range(100))
        rule: Rule = lambda _: Verdict.REPRODUCED if next(runs) % 2 else Verdict.ABSENT  # noqa: E731
        source = self.source(start, end, rule)
        with pytest.raises(UndecidedError, match="old is noisy"):
            lead_blame(source, FAILURE, start, end, notify=quiet)
        assert source.asked == ["old"]

    def test_causes_and_all_others_are_run_again(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"), c=("1", "2"))
        source = self.source(start, end, lambda held: Verdict.REPRODUCED if held["b"] == "2" else Verdict.ABSENT)
        lead_blame(source, FAILURE, start, end, notify=quiet)
        assert source.repeated == ["old", "new", "old with b 2", "old with a 2, c 2"]

    def test_works_from_bad_to_good_too(self) -> None:
        start, end = pair(a=("1", "2"), b=("1", "2"))
        rule: Rule = lambda held: Verdict.REJECTED if held["a"] == "2" else Verdict.REPRODUCED  # noqa: E731
        assert lead_blame(self.source(start, end, rule), FAILURE, start, end, notify=quiet).causes == (("a",),)

    def test_ends_that_show_the_same(self) -> None:
        start, end = pair(a=("1", "2"))
        with pytest.raises(ContradictionError, match="old and new are both good"):
            lead_blame(self.source(start, end, lambda _: Verdict.ABSENT), FAILURE, start, end, notify=quiet)

    def test_an_end_that_cannot_be_told(self) -> None:
        start, end = pair(a=("1", "2"))
        with pytest.raises(UndecidedError, match="old, an end, gave no verdict"):
            lead_blame(self.source(start, end, lambda _: Verdict.FLAKY), FAILURE, start, end, notify=quiet)

    def test_ends_that_hold_the_same(self) -> None:
        start, end = pair(a=("1", "1"))
        source = self.source(start, end, lambda _: Verdict.ABSENT)
        with pytest.raises(UsageError, match="nothing to blame"):
            lead_blame(source, FAILURE, start, end, notify=quiet)
        assert source.asked == []

    def test_ends_of_different_pythons(self) -> None:
        start, end = pair(a=("1", "2"))
        other = replace(end, environment=end.environment.model_copy(update={"python": "3.12"}))
        with pytest.raises(UsageError, match="different Pythons"):
            lead_blame(self.source(start, other, lambda _: Verdict.ABSENT), FAILURE, start, other, notify=quiet)

    def test_a_rare_failure(self) -> None:
        """Each mixture would need as many runs as the rate asks for, and no step has a bound: it is refused."""
        start, end = pair(a=("1", "2"))
        rare = factories.failure(rate={"runs": 20, "at_least": 8})
        with pytest.raises(UsageError, match="shows in some runs only"):
            lead_blame(self.source(start, end, lambda _: Verdict.ABSENT), rare, start, end, notify=quiet)


class TestSweep:
    def test_asks_every_release_and_the_newest_stack(self) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        found = releases_to_search(factories.matrix(), FAILURE, BASE, "lightning", fetch)
        answer = lead_sweep(source, FAILURE, BASE, found, every=Every.ALL, notify=quiet)
        assert [fact.label for fact in answer.tried] == RELEASES
        assert [fact.verdict for fact in answer.tried].count(Verdict.REPRODUCED) == 5
        assert answer.latest is not None
        assert answer.latest.label == LATEST
        assert answer.latest.versions == {"torch": "2.3.0", "lightning": "2.4.2"}
        assert exit_of_answer(answer) is Exit.OK
        assert all(list(ahead) == source.asked[n + 1 : n + 3] for n, ahead in enumerate(source.ahead))

    def test_within_bounds_and_by_minor(self) -> None:
        source = FakeSource(between("2.1.0", "2.2.1"))
        found = releases_to_search(factories.matrix(), FAILURE, BASE, "lightning", fetch)
        answer = lead_sweep(
            source, FAILURE, BASE, found, every=Every.MINOR, notify=quiet, since="2.1", until="2.3.1", latest=False
        )
        assert [fact.label for fact in answer.tried] == ["2.1.2", "2.2.2", "2.3.1"]
        assert answer.latest is None

    def test_what_contradicts_the_record_or_could_not_be_told_is_in_the_exit_code(self) -> None:
        found = releases_to_search(factories.matrix(), FAILURE, BASE, "lightning", fetch)
        wrong = lead_sweep(FakeSource(between("2.1.0", "2.4.0")), FAILURE, BASE, found, every=Every.ALL, notify=quiet)
        assert exit_of_answer(wrong) is Exit.CHANGED
        inner = between("2.1.0", "2.2.1")
        source = FakeSource(lambda held: Verdict.UNRUNNABLE if held["lightning"] == "2.0.0" else inner(held))
        assert exit_of_answer(lead_sweep(source, FAILURE, BASE, found, every=Every.ALL, notify=quiet)) is Exit.UNKNOWN

    def test_an_empty_range(self) -> None:
        found = releases_to_search(factories.matrix(), FAILURE, BASE, "lightning", fetch)
        with pytest.raises(UsageError, match="no release of lightning lies from 3"):
            lead_sweep(
                FakeSource(lambda _: Verdict.ABSENT), FAILURE, BASE, found, every=Every.ALL, notify=quiet, since="3.0"
            )


class TestBase:
    def test_is_the_first_affected_environment(self, tmp_path: Path) -> None:
        project = factories.project(tmp_path)
        base = base_of(project, FAILURE, None)
        assert (base.name, base.versions) == ("old", {"torch": "2.2.2", "lightning": "2.2.1"})
        assert base_of(project, FAILURE, "new").name == "new"
        assert vector_of(project, "new").versions["lightning"] == "2.2.2"

    def test_unknown_names(self, tmp_path: Path) -> None:
        project = factories.project(tmp_path)
        with pytest.raises(UsageError, match="did you mean 'new'"):
            base_of(project, FAILURE, "newer")
        with pytest.raises(UsageError, match="did you mean 'new'"):
            vector_of(project, "newer")
        with pytest.raises(UsageError, match="does not run lightning-1; name an environment"):
            base_of(project, factories.failure(id="lightning-1"), None)

    def test_without_an_affected_environment_it_is_the_first_default_one(self, tmp_path: Path) -> None:
        """The record may hold the reporter's release only, and no environment pins that."""
        project = factories.project(tmp_path)
        assert base_of(project, factories.failure(affected=[{"lightning": "==2.3.0"}]), None).name == "old"


class TestWriting:
    def answer(self, tmp_path: Path, rule: Rule, good: str, bad: str) -> Bisected:
        return lead_bisection(FakeSource(rule), FAILURE, begin(tmp_path, good, bad), quiet)

    def record(self, tmp_path: Path) -> Path:
        return factories.write_failure(tmp_path / "failures") / "failure.yaml"

    def test_the_upper_bound_is_corrected(self, tmp_path: Path) -> None:
        file = self.record(tmp_path)
        told = amend_record(file, FAILURE, self.answer(tmp_path, between("2.1.0", "2.3.0"), "2.4.2", "2.1.0"))
        assert "affected lightning >=2.1.0,<2.3.1" in told
        assert "lightning: '>=2.1.0,<2.3.1'" in file.read_text()

    def test_the_lower_bound_is_corrected(self, tmp_path: Path) -> None:
        file = self.record(tmp_path)
        amend_record(file, FAILURE, self.answer(tmp_path, between("2.0.1", "2.2.1"), "2.0.0", "2.2.0"))
        assert "lightning: '>=2.0.1,<2.2.2'" in file.read_text()

    def test_a_record_that_agrees_is_left_alone(self, tmp_path: Path) -> None:
        file = self.record(tmp_path)
        before = file.read_bytes()
        told = amend_record(file, FAILURE, self.answer(tmp_path, between("2.1.0", "2.2.1"), "2.0.0", "2.2.1"))
        assert "nothing to write" in told
        assert file.read_bytes() == before

    def test_a_lower_end_that_was_never_tried_is_open(self, tmp_path: Path) -> None:
        """The search for the fix begins at 2.1.0: that 2.0.2 is not affected would be a guess."""
        file = self.record(tmp_path)
        answer = self.answer(tmp_path, between("2.1.0", "2.3.0"), "2.4.2", "2.1.0")
        assert answer.lower_end_open
        told = amend_record(file, FAILURE, answer)
        assert told.endswith("open_below lightning 2.1.0: no older release was run")
        assert "open_below: {lightning: '2.1.0'}\n" in file.read_text()

    def test_a_lower_end_that_was_tried_is_not(self, tmp_path: Path) -> None:
        file = self.record(tmp_path)
        below = self.answer(tmp_path / "below", between("2.1.0", "2.3.0"), "2.0.0", "2.2.1")
        answer = self.answer(tmp_path, between("2.1.0", "2.3.0"), "2.4.2", "2.1.0")
        assert "open_below" not in amend_record(file, FAILURE, answer, [below])
        assert "open_below" not in file.read_text()

    def test_the_search_for_the_break_closes_an_open_end(self, tmp_path: Path) -> None:
        file = factories.write_failure(tmp_path / "failures", open_below={"lightning": "2.2.0"}) / "failure.yaml"
        file.write_text(file.read_text().replace("open_below:\n  lightning: 2.2.0", "open_below: {lightning: '2.2.0'}"))
        opened = factories.failure(open_below={"lightning": "2.2.0"})
        answer = self.answer(tmp_path, between("2.0.1", "2.2.1"), "2.0.0", "2.2.0")
        assert "open_below removed" in amend_record(file, opened, answer)
        assert "open_below" not in file.read_text()
        assert "lightning: '>=2.0.1,<2.2.2'" in file.read_text()

    def test_what_was_not_confirmed_is_not_written(self, tmp_path: Path) -> None:
        answer = self.answer(tmp_path, between("2.1.0", "2.3.0"), "2.4.2", "2.1.0")
        with pytest.raises(UsageError, match="not confirmed"):
            amend_record(self.record(tmp_path), FAILURE, answer.model_copy(update={"confirmed": False}))

    def test_a_range_that_a_run_contradicts_is_not_written(self, tmp_path: Path) -> None:
        file = self.record(tmp_path)
        before = file.read_bytes()
        inner = between("2.1.0", "2.1.2")
        rule: Rule = lambda held: Verdict.REPRODUCED if held["lightning"] == "2.3.2" else inner(held)  # noqa: E731
        answer = self.answer(tmp_path, rule, "2.4.2", "2.1.0")
        assert answer.after.label == "2.2.0"
        assert answer.other_changes == ("lightning 2.3.2 is bad: reproduced: because",)
        with pytest.raises(UsageError, match=r"lightning 2.3.2 is bad, which one range cannot say"):
            amend_record(file, FAILURE, answer)
        assert file.read_bytes() == before

    def test_a_range_is_not_written(self, tmp_path: Path) -> None:
        inner = between("2.1.0", "2.3.0")
        rule: Rule = lambda held: Verdict.UNRUNNABLE if held["lightning"] == "2.3.1" else inner(held)  # noqa: E731
        with pytest.raises(UsageError, match="a range"):
            amend_record(self.record(tmp_path), FAILURE, self.answer(tmp_path, rule, "2.4.2", "2.1.0"))

    def test_a_record_that_changed_meanwhile_is_refused(self, tmp_path: Path) -> None:
        file = self.record(tmp_path)
        file.write_text(file.read_text().replace("affected:", "affected_:"))
        with pytest.raises(RecordError):
            amend_record(file, FAILURE, self.answer(tmp_path, between("2.1.0", "2.3.0"), "2.4.2", "2.1.0"))
