"""Versions and code together: what comes first, the exit code, SARIF."""

import pytest

from repro.doctor.code.combined import combine, exit_of_combined
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
