"""What a matched pytest gets without writing it: its cells and one test a claim.  Collected only, nothing runs."""

import pytest
import yaml

from repro.testing import matched
from tests.unit.factories import FAILURE, MATRIX, lock_text, write_failure

CLAIMS = [
    {"id": "taste", "kind": "opinion", "statement": "s", "verdict": "untestable", "comment": "a matter of taste"},
    {"id": "style", "kind": "opinion", "statement": "s", "verdict": "untestable", "comment": "another one"},
]
NAMES = ["backported", "claim", "correct", "failing", "laboratory", "warm"]
HOOKS = ["pytest_collection_modifyitems", "pytest_generate_tests", "pytest_pycollect_makeitem"]


@pytest.fixture
def collected(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A catalogue elsewhere with one failure, its matrix and its locks, and a conftest beside its tests."""
    root = pytester.path
    write_failure(root, claims=CLAIMS)
    pytester.makefile(".yaml", matrix=yaml.safe_dump(MATRIX))
    (root / "locks").mkdir()
    for name, environment in MATRIX["environments"].items():
        (root / "locks" / f"{name}.txt").write_text(lock_text(name, environment["pins"], environment["cutoff"]))
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest")  # whose summary takes seconds
    pytester.makeconftest(f"from {matched.__name__} import {', '.join(NAMES + HOOKS)}")
    monkeypatch.setenv("REPRO_CATALOG", str(root))
    return pytester


def names(pytester: pytest.Pytester, source: str) -> list[str]:
    items, _ = pytester.inline_genitems(pytester.makepyfile(test_it=source))
    return [item.name for item in items]


def test_cells(collected: pytest.Pytester) -> None:
    """Failing, fixed and backported cells, by the versions in the locks; a claim's test for each claim."""
    source = f'FAILURE = "{FAILURE}"\n' + "".join(
        f"def test_{name}({name}): pass\n" for name in ("failing", "correct", "backported")
    )
    assert sorted(names(collected, source)) == [
        "test_backported[old +cure]",
        "test_claim[style]",
        "test_claim[taste]",
        "test_correct[new]",
        "test_failing[old]",
    ]


def test_own_test_of_the_claims(collected: pytest.Pytester) -> None:
    """A module that writes its own is left alone: nothing is tested twice."""
    source = f'FAILURE = "{FAILURE}"\ndef test_claim(claim): pass\n'
    assert names(collected, source) == ["test_claim[taste]", "test_claim[style]"]


def test_a_claim_runs(collected: pytest.Pytester) -> None:
    """The shared test tells what was found: a claim without evidence is untestable, as published."""
    collected.makepyfile(test_it=f'FAILURE = "{FAILURE}"\n')
    collected.runpytest_inprocess().assert_outcomes(passed=2)


def test_no_failure_named(collected: pytest.Pytester) -> None:
    """Other modules get nothing."""
    assert names(collected, "def test_it(): pass\n") == ["test_it"]
