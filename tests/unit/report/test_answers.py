"""How answers are written."""

from pathlib import Path
from typing import Any

from repro.model.verdict import Side, Verdict, side_of
from repro.report.answers import against_record, bisected_lines, blamed_lines, effort, sections, strip, swept_lines
from repro.report.fragments import Code, Strong
from repro.store.answers import (
    AnswerStore,
    Bisected,
    Blamed,
    BlamedChange,
    Every,
    Role,
    Run,
    SkippedRelease,
    Swept,
    Tried,
    stretches,
)
from tests.unit.factories import failure

V = Verdict


def fact(label: str, verdict: Verdict | None, **changes: Any) -> Tried:
    side = side_of(verdict)
    facts = {
        "label": label,
        "environment": f"old with lib {label}",
        "verdict": verdict,
        "side": side,
        "reason": "because",
        "evidence": "KeyError: 'x|y'" if verdict is V.REPRODUCED else "",
        "affected": None if side is Side.SKIP else side is Side.BAD,
    }
    return Tried.model_validate(facts | changes)


def bisected(**changes: Any) -> Bisected:
    before, after = fact("1.0", V.REPRODUCED), fact("1.1", V.ABSENT, reused=True)
    facts = {
        "failure": "lib-1",
        "date": "2026-01-01T00:00:00+00:00",
        "package": "lib",
        "base": "old",
        "older": Side.BAD,
        "before": before,
        "after": after,
        "tried": (before, after),
        "points": 9,
        "upstream": ("o/r#1",),
        "log": "bisect-lib.jsonl",
        "seconds": 12.4,
    }
    return Bisected.model_validate(facts | changes)


def blamed(**changes: Any) -> Blamed:
    facts = {
        "failure": "lib-1",
        "date": "2026-01-01T00:00:00+00:00",
        "start": fact("old", V.REPRODUCED, environment="old"),
        "end": fact("new", V.ABSENT, environment="new"),
        "causes": (("a", "b"),),
        "changes": tuple(
            BlamedChange(distribution=name, before="1", after="2", part=part)
            for name, part in zip("abcd", (Role.GUILTY, Role.NEEDED, Role.INNOCENT, Role.UNTESTED), strict=True)
        ),
        "tried": (),
        "seconds": 3.0,
    }
    return Blamed.model_validate(facts | changes)


def swept(*verdicts: Verdict | None, **changes: Any) -> Swept:
    facts = {
        "failure": "lib-1",
        "date": "2026-01-01T00:00:00+00:00",
        "package": "lib",
        "base": "old",
        "every": Every.MINOR,
        "tried": tuple(fact(f"1.{n}", verdict) for n, verdict in enumerate(verdicts)),
        "left_out": (SkippedRelease(version="1.0rc1", reason="pre-release"),),
        "seconds": 60.0,
    }
    return Swept.model_validate(facts | changes)


class TestBisected:
    def test_neighbours_evidence_upstream_record_and_effort(self) -> None:
        assert bisected_lines(bisected()) == [
            "last bad    lib 1.0: reproduced: KeyError: 'x|y'",
            "first good  lib 1.1: absent: because",
            "confirmed   no: an older version ran each release once; bisect again",
            "upstream    o/r#1",
            "record      agrees",
            "effort      1 runs, 1 reused, at 2 of 9 points, 12 s; log bisect-lib.jsonl",
        ]

    def test_a_confirmed_answer_counts_its_runs(self) -> None:
        runs = tuple(
            Run(observation=f"o{n}", verdict=V.REPRODUCED, launcher="torchrun", reused=n == 0) for n in range(4)
        )
        before = fact("1.0", V.REPRODUCED, runs=runs)
        answer = bisected(before=before, tried=(before, fact("1.1", V.ABSENT)), confirmed=True)
        lines = bisected_lines(answer)
        assert lines[2] == "confirmed   1.0 in 4 runs, 1.1 in 0 runs"
        assert effort(answer) == "4 runs, 1 reused, at 2 of 9 points, 12 s"
        noisy = bisected_lines(answer.model_copy(update={"noisy": True}))
        assert noisy[2].endswith("; the failure is noisy")

    def test_what_the_answer_does_not_say_is_said(self) -> None:
        lines = bisected_lines(
            bisected(lower_end_open=True, other_changes=("lib 0.5 is good",), launchers_disagree=True)
        )
        assert (
            "lower end   open: no release before 1.0 was run; to find the first bad one: "
            "repro bisect lib-1 --package lib --find-break --bad 1.0"
        ) in lines
        assert "not the only change: lib 0.5 is good" in lines
        assert any(line.startswith("launchers   torchrun disagrees") for line in lines)

    def test_a_moved_role_is_named_and_asked_for_again(self) -> None:
        lines = bisected_lines(bisected(role="reader", roles={"writer": "old"}, lower_end_open=True))
        assert lines[0] == "moved       reader, with writer old"
        assert any(
            line.endswith(
                "repro bisect lib-1 --package lib --stage reader --stage-env writer=old --find-break --bad 1.0"
            )
            for line in lines
        )
        assert swept_lines(swept(V.ABSENT, role="reader", roles={"writer": "old"}))[0] == (
            "lib in old (reader, with writer old)"
        )

    def test_a_regression_is_named_the_other_way_round(self) -> None:
        before, after = fact("1.0", V.ABSENT), fact("1.1", V.REPRODUCED)
        lines = bisected_lines(bisected(older=Side.GOOD, before=before, after=after, tried=(before, after)))
        assert lines[0].startswith("last good   lib 1.0")
        assert lines[1].startswith("first bad   lib 1.1")

    def test_a_range_names_what_lies_in_it(self) -> None:
        lines = bisected_lines(bisected(untested=(fact("1.0.1", V.DIFFERENT), fact("1.0.2", None))))
        assert lines[3] == "between     2 skipped, so that the answer is a range:"
        assert lines[4].endswith("lib 1.0.1: different: because")
        assert lines[5].endswith("lib 1.0.2: does not apply: because")
        assert "record      agrees with every release that gave a verdict" in lines

    def test_a_disagreement_names_the_release(self) -> None:
        wrong = fact("1.0", V.REPRODUCED, affected=False)
        lines = bisected_lines(bisected(before=wrong, tried=(wrong,)))
        assert "record      disagrees: it lists lib 1.0 as not affected, which is reproduced" in lines

    def test_what_moved_too_is_said(self) -> None:
        assert "also moved  numpy 1 → 2" in bisected_lines(bisected(also_moved=("numpy 1 → 2",)))

    def test_days_have_a_blame_and_no_record(self) -> None:
        lines = bisected_lines(bisected(package=None, blame=blamed()))
        assert lines[0].startswith("last bad    the stack of 1.0")
        assert "cause       a and b, together" in lines
        assert not any(line.startswith("record") for line in lines)


class TestBlamed:
    def test_every_package_has_its_part(self) -> None:
        cause, *parts = blamed_lines(blamed())
        assert cause == "cause       a and b, together"
        assert [line.split(": ")[1].split()[0] for line in parts] == ["guilty", "guilty", "innocent", "untested"]

    def test_one_alone(self) -> None:
        assert blamed_lines(blamed(causes=(("a",), ("c",))))[:2] == ["cause       a, alone", "cause       c, alone"]

    def test_what_a_release_requires_is_named_with_it(self) -> None:
        changes = [
            BlamedChange(distribution="lib", before="4.5", after="5.2", part=Role.GUILTY),
            BlamedChange(distribution="hub", before="0.36", after="1.4", part=Role.REQUIRED, reason="no solution"),
            BlamedChange(distribution="gone", before="1", after=None, part=Role.INNOCENT),
        ]
        answer = blamed(causes=(("lib",),), required={"lib": ("hub",)}, changes=changes)
        assert blamed_lines(answer) == [
            "cause       lib 5.2, with what it requires: hub 1.4",
            "  lib 4.5 → 5.2: guilty",
            "  hub 0.36 → 1.4: moved with the guilty one, which requires it; could not be tried alone: no solution",
            "  gone 1 → not installed: innocent (tested)",
        ]
        (section,) = sections([answer])
        assert "lib 5.2, with what it requires: hub 1.4" in "".join(str(part) for part in section.lead)
        assert "could not be tried alone: no solution" in str(section.rows)
        together = blamed(causes=(("lib", "gone"),), required={"lib": ("hub",)}, changes=changes)
        assert blamed_lines(together)[0] == "cause       lib 5.2, with what it requires: hub 1.4 and gone, together"


class TestSwept:
    answer = swept(
        V.ABSENT, V.REPRODUCED, V.REPRODUCED, V.UNRUNNABLE, None, V.REJECTED, latest=fact("latest", V.ABSENT)
    )

    def test_a_glyph_a_release_and_the_newest_stack_apart(self) -> None:
        assert strip(self.answer) == "✓✗✗?·⊘ ✓"
        assert strip(swept(V.FLAKY, V.DIFFERENT)) == "~≠"

    def test_ranges_with_evidence(self) -> None:
        lines = swept_lines(self.answer)
        assert "✗ 1.1 to 1.2 (2): reproduced: KeyError: 'x|y'" in lines
        assert "· 1.4 (1): does not apply: because" in lines
        assert "✓ the newest stack of 2026-01-01 (1): absent: because" in lines
        assert "left out, pre-release: 1.0rc1" in lines
        assert lines[-1] == "effort      7 runs, 0 reused, 60 s"

    def test_different_reasons_and_disagreements_are_stretches_of_their_own(self) -> None:
        points = [
            fact("1", V.UNRUNNABLE, reason="a"),
            fact("2", V.UNRUNNABLE, reason="b"),
            fact("3", V.ABSENT),
            fact("4", V.ABSENT, affected=True),
        ]
        assert [stretch.count for stretch in stretches(points)] == [1, 1, 1, 1]
        assert [stretch.count for stretch in stretches([fact("1", V.ABSENT), fact("2", V.ABSENT, reason="x")])] == [2]


class TestSections:
    def test_sweeps_come_first_and_tables_are_whole(self) -> None:
        made = sections([blamed(), bisected(), swept(V.REPRODUCED, V.ABSENT)])
        assert [section.title for section in made] == [
            "Releases of lib",
            "When was it mended: lib",
            "Blame: old to new",
        ]
        for section in made:
            assert all(len(row) == len(section.heads) for row in section.rows)
        assert "".join(made[0].lead).startswith("✗✓ the last release of every minor series, 1.0 to 1.1")
        assert made[0].rows[0] == ("1.0", "1", "✗ reproduced", "KeyError: 'x|y'", "agrees")
        assert made[1].notes[-1] == "record agrees"
        assert Strong("a and b") in made[2].lead

    def test_the_page_names_the_moved_role_and_where_the_others_were(self) -> None:
        moved = {"role": "reader", "roles": {"writer": "older"}}
        strip_section, boundary = sections([swept(V.ABSENT, **moved), bisected(**moved)])
        assert strip_section.title == "Releases of lib of the reader"
        assert boundary.title == "When was it mended: lib of the reader"
        assert "old (reader, with writer older); " in "".join(strip_section.lead)
        assert "old (reader, with writer older); " in "".join(boundary.lead)

    def test_upstreams_words_are_code(self) -> None:
        """The page decides how they are escaped, so it must know them from ours."""
        (section,) = sections([swept(V.REPRODUCED)])
        assert [isinstance(text, Code) for text in section.rows[0]] == [False, False, False, True, False]

    def test_ranges_and_moves_are_in_the_page(self) -> None:
        (section,) = sections([bisected(untested=(fact("1.0.1", V.FLAKY),), also_moved=("numpy 1 → 2",))])
        assert [row[0] for row in section.rows] == ["last bad", "skipped", "first good"]
        assert any("numpy" in note for note in section.notes)


class TestAgainstRecord:
    """A record may be corrected after a search: the page compares the runs with the record of today."""

    @staticmethod
    def tried(label: str, verdict: Verdict | None, **changes: Any) -> Tried:
        return fact(label, verdict, **{"versions": {"lib": label}, **changes})

    def test_a_corrected_range_agrees_with_a_bisection(self) -> None:
        before, after = self.tried("1.0", V.REPRODUCED), self.tried("1.1", V.ABSENT, affected=True)
        answer = bisected(before=before, after=after, tried=(before, after))
        assert answer.agrees is False
        corrected = against_record(answer, failure(affected=[{"lib": "<1.1"}]))
        assert isinstance(corrected, Bisected)
        assert corrected.agrees
        assert not corrected.after.affected

    def test_a_range_that_was_spoilt_disagrees_with_a_sweep(self) -> None:
        answer = swept(tried=(self.tried("1.0", V.REPRODUCED),), latest=self.tried("2.0", V.ABSENT))
        spoilt = against_record(answer, failure(affected=[{"lib": ">=2.0"}]))
        assert [one.agrees for one in spoilt.all_tried] == [False, False]

    def test_without_the_versions_that_decide_the_stored_word_stays(self) -> None:
        answer = swept(tried=(self.tried("1.0", V.REPRODUCED),))
        assert against_record(answer, failure(affected=[{"lib": ">=2.0", "other": ">=1"}])) == answer


def test_effort_counts_each_step() -> None:
    assert effort(blamed()) == "2 runs, 0 reused, 3 s"


def test_answers_are_read_back_and_replaced(tmp_path: Any) -> None:
    answers = AnswerStore(tmp_path)
    for answer in (bisected(), blamed(), swept(V.ABSENT), bisected(points=10)):
        answers.put(answer)
    found = answers.of("lib-1")
    assert {answer.kind for answer in found} == {"bisect", "blame", "sweep"}
    assert len(list(answers)) == len(found) == 3
    assert bisected(points=10) in found
    assert answers.of("lib-2") == []


def test_a_failure_that_was_mended_twice_keeps_both_boundaries(tmp_path: Path) -> None:
    """The same ends, or the same boundary, replace an older answer; another boundary does not."""
    answers = AnswerStore(tmp_path)
    first = bisected()
    bad, good = fact("2.0", V.REPRODUCED), fact("2.1", V.ABSENT)
    later = bisected(before=bad, after=good, tried=(fact("1.5", V.REPRODUCED), fact("3.0", V.ABSENT)))
    answers.put(first)
    answers.put(later)
    assert answers.of("lib-1") == [first, later]
    wider = bisected(tried=(fact("0.9", V.REPRODUCED), fact("1.2", V.ABSENT)))
    answers.put(wider)
    assert answers.of("lib-1") == [wider, later]
    broke = bisected(older=Side.GOOD)
    answers.put(broke)
    assert len(answers.of("lib-1")) == 3
    other = bisected(before=fact("1.1", V.REPRODUCED), after=fact("1.2", V.ABSENT), tried=wider.tried)
    answers.put(other)
    assert sorted(found.slug for found in answers.of("lib-1")) == sorted(item.slug for item in (broke, other, later))


def test_the_same_boundary_of_another_role_is_kept(tmp_path: Path) -> None:
    answers = AnswerStore(tmp_path)
    both = [bisected(role=role, roles={other: "old"}) for role, other in (("reader", "writer"), ("writer", "reader"))]
    for answer in both:
        answers.put(answer)
    assert answers.of("lib-1") == both


def test_the_words_of_a_single_release() -> None:
    (section,) = sections([swept(V.REPRODUCED)])
    words = "".join(section.lead)
    assert "every release" not in words
    assert words.count("1.0") == 1
