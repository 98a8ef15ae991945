"""Versions and code together: what comes first, the exit code, SARIF."""

from dataclasses import replace

import pytest

from repro.doctor.code.combined import code_answer, combine, exit_of_combined
from repro.doctor.code.decide import CodeFinding, Found, Reached
from repro.doctor.code.facts import Place
from repro.doctor.code.sarif import sarif_of
from repro.doctor.diagnosis import Diagnosis, Finding
from repro.doctor.log.log_answer import Answer, FoundFailure, LogAnswer
from tests.unit.factories import failure

HELD = failure()
NAMED, OPEN, NOT = CodeFinding.NAMED, CodeFinding.UNKNOWN, CodeFinding.NOT_NAMED


def reached(code: CodeFinding) -> Reached:
    found = (Found("x=1", Place("a b.py", 3)), Found("y", Place("c.py", 4)))
    return Reached(HELD, code, found if code is NAMED else (), "why" if code is OPEN else "")


@pytest.mark.parametrize(
    ("finding", "code", "alert", "static", "run"),
    [
        (Finding.SUFFERS, NAMED, True, 1, 1),
        (Finding.SUFFERS, NOT, True, 1, 1),
        (Finding.LISTED, NAMED, True, 1, 3),
        (Finding.LISTED, OPEN, False, 3, 3),
        (Finding.LISTED, NOT, False, 0, 0),
        (Finding.UNKNOWN, NAMED, True, 3, 3),
        (Finding.UNKNOWN, NOT, False, 0, 0),
        (Finding.NOT_SEEN, NAMED, False, 0, 0),
        (Finding.NOT_AFFECTED, NAMED, False, 0, 0),
        (Finding.NOT_AFFECTED, OPEN, False, 0, 0),
        (None, NAMED, True, 1, 1),
        (None, OPEN, False, 3, 3),
        (None, NOT, False, 0, 0),
    ],
)
def test_alerts_and_exit_codes(
    finding: Finding | None, code: CodeFinding, *, alert: bool, static: int, run: int
) -> None:
    found = [Diagnosis(HELD, finding, "why")] if finding else None
    (item,) = together = combine([reached(code)], found)
    assert item.is_alert is alert
    assert (exit_of_combined(together, static=True), exit_of_combined(together, static=False)) == (static, run)


def test_order() -> None:
    pairs = [
        (Finding.NOT_AFFECTED, NAMED),
        (Finding.LISTED, NOT),
        (Finding.LISTED, NAMED),
        (Finding.SUFFERS, NOT),
        (Finding.SUFFERS, NAMED),
    ]
    failures = [failure(id=f"torch-{number}") for number in range(len(pairs))]
    codes = [Reached(held, code) for held, (_, code) in zip(failures, pairs, strict=True)]
    found = [Diagnosis(held, finding, "") for held, (finding, _) in zip(failures, pairs, strict=True)]
    assert [item.failure.id for item in combine(codes, found)] == [f"torch-{number}" for number in (4, 3, 2, 1, 0)]


def logged(*found: tuple[str, str]) -> LogAnswer:
    """A log that shows these failures, each with its answer."""
    made = [
        FoundFailure.model_validate(
            {"id": name, "title": "x", "answer": answer, "pattern": "p", "line": 7, "rank": None, "ranks": 1,
             "shown": "x", "because": (), "versions": "", "links": ()}
        )
        for name, answer in found
    ]  # fmt: skip
    return LogAnswer(source="log", answer=Answer.KNOWN, lines=9, found=tuple(made))


def test_the_log_comes_first() -> None:
    """Known by the log, possible by the log, suffers and named, suffers, listed and named, listed."""
    facts = [
        (Finding.LISTED, NOT), (Finding.LISTED, NAMED), (Finding.SUFFERS, NOT), (Finding.SUFFERS, NAMED),
        (Finding.NOT_AFFECTED, NOT), (Finding.LISTED, NOT),
    ]  # fmt: skip
    failures = [failure(id=f"torch-{number}") for number in range(len(facts))]
    codes = [Reached(held, code) for held, (_, code) in zip(failures, facts, strict=True)]
    found = [Diagnosis(held, finding, "") for held, (finding, _) in zip(failures, facts, strict=True)]
    together = combine(
        codes, found, logged(("torch-4", "could be"), ("torch-5", "known"), ("torch-1", "reported, unproved"))
    )
    assert [item.failure.id for item in together] == [f"torch-{number}" for number in (5, 4, 3, 2, 1, 0)]
    assert [item.is_alert for item in together] == [True] * 5 + [False]


def test_known_comes_before_possible() -> None:
    """Whatever versions, code and names say."""
    first, second = failure(id="torch-1"), failure(id="torch-2")
    found = [Diagnosis(first, Finding.SUFFERS, ""), Diagnosis(second, Finding.NOT_AFFECTED, "")]
    log = logged(("torch-1", "could be"), ("torch-2", "known"))
    assert [item.failure.id for item in combine([reached(NOT)], None, log)] == [HELD.id]
    both = combine([Reached(first, NAMED), Reached(second, NOT)], found, log)
    assert [item.failure.id for item in both] == ["torch-2", "torch-1"]


@pytest.mark.parametrize(("answer", "code"), [("known", 1), ("could be", 3)])
@pytest.mark.parametrize("static", [True, False])
def test_exit_codes_with_a_log(answer: str, code: int, *, static: bool) -> None:
    """What the log shows counts although neither versions nor code speak of it."""
    together = combine([reached(NOT)], [Diagnosis(HELD, Finding.NOT_AFFECTED, "")], logged((HELD.id, answer)))
    assert exit_of_combined(together, static=static) == code


def test_sarif() -> None:
    """A result at its place, the others related; what is no alert is left out."""
    log = sarif_of(combine([reached(NAMED)], [Diagnosis(HELD, Finding.LISTED, "why")]), "src")
    (run,) = log["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == HELD.id
    physical = result["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "a%20b.py"}, "region": {"startLine": 3}}
    assert [item["physicalLocation"]["region"]["startLine"] for item in result["relatedLocations"]] == [4]
    assert (log["version"], result["level"]) == ("2.1.0", "warning")
    nothing = sarif_of(combine([reached(NOT)], [Diagnosis(HELD, Finding.LISTED, "why")]), "src")
    assert nothing["runs"][0]["results"] == []


def test_could_not_tell_by_the_versions_comes_before_not_seen() -> None:
    """Among what is named: seen, listed, open, not seen, not affected; without versions, by the code alone."""
    order = [Finding.NOT_AFFECTED, Finding.NOT_SEEN, Finding.UNKNOWN, Finding.LISTED, Finding.SUFFERS]
    failures = [failure(id=f"torch-{number}") for number in range(len(order))]
    codes = [Reached(held, NAMED) for held in failures]
    found = [Diagnosis(held, finding, "") for held, finding in zip(failures, order, strict=True)]
    assert [item.failure.id for item in combine(codes, found)] == [f"torch-{number}" for number in (4, 3, 2, 1, 0)]
    alone = combine([Reached(failures[0], NOT), Reached(failures[1], OPEN), Reached(failures[2], NAMED)], None)
    assert [item.failure.id for item in alone] == ["torch-2", "torch-1", "torch-0"]
    assert [item.is_named for item in alone] == [True, False, False]


def test_those_that_are_alike_are_sorted_by_id() -> None:
    codes = [Reached(failure(id=f"torch-{number}"), NAMED) for number in (3, 1, 2)]
    assert [item.failure.id for item in combine(codes, None)] == ["torch-1", "torch-2", "torch-3"]


@pytest.mark.parametrize("finding", list(Finding))
@pytest.mark.parametrize("answer", [None, "known", "could be"])
@pytest.mark.parametrize("code", [NAMED, OPEN, NOT])
def test_ruled_out(finding: Finding, answer: str | None, code: CodeFinding) -> None:
    """By the versions or a run, never against a log, and never by the code."""
    log = logged((HELD.id, answer)) if answer else None
    (item,) = combine([reached(code)], [Diagnosis(HELD, finding, "")], log)
    assert item.is_ruled_out is (answer is None and finding in {Finding.NOT_AFFECTED, Finding.NOT_SEEN})
    (alone,) = combine([reached(code)], None, log)
    assert alone.is_ruled_out is False
    assert alone.is_alert is (answer is not None or code is NAMED)


def test_a_known_failure_beside_a_possible_one() -> None:
    """The exit code is that of the known one, wherever it stands; one that is only possible makes it unknown."""
    other = failure(id="torch-2")
    codes = [reached(NOT), Reached(other, NOT)]
    both = combine(codes, None, logged((HELD.id, "could be"), ("torch-2", "known")))
    assert exit_of_combined(both, static=True) == 1
    named = combine([reached(NAMED), Reached(other, NOT)], None, logged(("torch-2", "could be")))
    assert exit_of_combined(named, static=True) == 1
    possible = combine([reached(NAMED)], None, logged((HELD.id, "could be")))
    assert exit_of_combined(possible, static=True) == 3


def test_exit_code_of_an_iterator() -> None:
    """What is read once is judged whole."""
    assert exit_of_combined(iter(combine([reached(OPEN)], None)), static=True) == 3
    assert exit_of_combined(iter(()), static=True) == 0


def test_answer_for_scripts() -> None:
    """Every fact of the code, and who reaches it; a record that does not say is no error."""
    said = failure(id="torch-2", reach={"who": "Jobs.", "when": {"settings": ["a"]}})
    codes = [
        replace(reached(NAMED), failure=failure(reach=None)),
        Reached(said, OPEN, (Found("a", Place("n.ipynb", 2, 5)),), "because"),
    ]
    answer = code_answer("src", 7, ["a note"], combine(codes, None))
    assert (answer.root, answer.files, answer.notes) == ("src", 7, ("a note",))
    first, second = answer.failures
    assert (first.id, first.title, first.finding, first.who, first.why) == (HELD.id, HELD.title, "named", "", "")
    assert [(at.what, at.file, at.line, at.cell) for at in first.places] == [
        ("x=1", "a b.py", 3, 0),
        ("y", "c.py", 4, 0),
    ]
    assert (second.id, second.finding, second.who, second.why) == ("torch-2", "could not tell", "Jobs.", "because")
    assert [(at.what, at.file, at.line, at.cell) for at in second.places] == [("a", "n.ipynb", 2, 5)]
