"""What is said of an environment: never 'not affected' where that is not known."""

from collections.abc import Mapping
from typing import Any

import pytest

from repro.doctor.diagnosis import Diagnosis, Finding, cures_of, diagnose, exit_of_diagnoses
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.errors import Exit
from repro.model.failure import Failure, listed
from repro.model.observation import Observation
from repro.verdict.result import judge_repetitions
from tests.unit.factories import (
    FAILURE,
    REJECTION,
    VERSIONS,
    cell,
    failed,
    failure,
    installed,
    observation,
    raised,
    rank,
)

BOTH: dict[str, Any] = {
    "affected": [{"lightning": ">=2.1.0,<2.2.2", "torch": ">=2.2"}],
    "needs": {"distributions": {"torch": ">=2.2"}},
}


def said(stack: Stack, *observations: Observation, **changes: Any) -> Diagnosis:
    record = failure(**changes)
    results = {FAILURE: judge_repetitions(record, observations)} if observations else {}
    (found,) = diagnose([record], stack, results)
    return found


def static(held: Mapping[str, KnownVersion | str], *, closed: bool = True, **changes: Any) -> Diagnosis:
    facts = {name: KnownVersion((known,)) if isinstance(known, str) else known for name, known in held.items()}
    return said(Stack(facts, closed=closed), **changes)


class TestSpecifiers:
    """What the record alone says."""

    @pytest.mark.parametrize(
        ("held", "finding"),
        [
            ({"lightning": "2.2.1", "torch": "2.2.2"}, Finding.LISTED),
            ({"lightning": "2.2.1", "torch": "2.6.0+cu124"}, Finding.LISTED),
            ({"lightning": "2.2.2", "torch": "2.2.2"}, Finding.NOT_AFFECTED),
            ({"lightning": "2.2.1", "torch": "2.1.0"}, Finding.NOT_AFFECTED),
            ({"lightning": "2.2.1"}, Finding.NOT_AFFECTED),
            ({}, Finding.NOT_AFFECTED),
            ({"lightning": "2.2.1", "torch": KnownVersion(specifiers=">=2.2", why="is not pinned")}, Finding.LISTED),
            ({"lightning": "2.2.1", "torch": KnownVersion(specifiers=">=2.1", why="is not pinned")}, Finding.UNKNOWN),
            ({"lightning": "2.2.2", "torch": KnownVersion(why="is not pinned")}, Finding.NOT_AFFECTED),
            (
                {"lightning": KnownVersion(specifiers=">=2.3", why="is not pinned"), "torch": "2.2.2"},
                Finding.NOT_AFFECTED,
            ),
            ({"lightning": KnownVersion(specifiers=">=2.2.1", why="is not pinned"), "torch": "2.2.2"}, Finding.UNKNOWN),
            ({"lightning": KnownVersion(("2.2.0", "2.2.1")), "torch": "2.2.2"}, Finding.LISTED),
            ({"lightning": KnownVersion(("2.2.1", "2.2.2")), "torch": "2.2.2"}, Finding.UNKNOWN),
            ({"lightning": "2.2.1", "torch": "my build"}, Finding.UNKNOWN),
        ],
    )
    def test_finding(self, held: dict[str, KnownVersion | str], finding: Finding) -> None:
        """Listed or not affected only where every version that is possible says so."""
        assert static(held, **BOTH).finding is finding

    @pytest.mark.parametrize(
        ("held", "closed", "why"),
        [
            ({"lightning": "2.2.1", "torch": KnownVersion(why="is not pinned")}, True, "torch is not pinned"),
            ({"lightning": "2.2.1"}, True, "needs torch: not installed"),
            ({"lightning": "2.2.1"}, False, "torch is not named (lightning brings it)"),
            ({"lightning": "2.2.1", "torch": "my build"}, True, "torch my build: not a version that can be compared"),
            (
                {"lightning": "2.2.2", "torch": "2.2.2"},
                True,
                "lightning 2.2.2, torch 2.2.2: only lightning >=2.1.0,<2.2.2, torch >=2.2 is affected",
            ),
        ],
    )
    def test_why(self, held: dict[str, KnownVersion | str], closed: bool, why: str) -> None:
        """The reason names the distribution."""
        assert static(held, closed=closed, **BOTH).why == why

    def test_refused(self) -> None:
        """A release that refuses the configuration is not affected, and it is said how."""
        found = static({"lightning": "2.2.2"}, rejected=[REJECTION])
        assert (found.finding, found.why) == (Finding.NOT_AFFECTED, "lightning 2.2.2: refused with a clear error")

    def test_alias(self) -> None:
        """The same code under another name is listed, and not run."""
        found = static({"pytorch-lightning": "2.2.1"})
        assert (found.finding, found.runs) == (Finding.LISTED, False)
        assert "pytorch-lightning is lightning under another name" in found.why
        assert static({"pytorch-lightning": "2.2.2"}).finding is Finding.NOT_AFFECTED
        assert static({"pytorch-lightning": KnownVersion(why="is not pinned")}).finding is Finding.UNKNOWN

    def test_beside(self) -> None:
        """lightning brings the other name in any version: that alone is a note, no finding."""
        old, young = ({"pytorch-lightning": version, "lightning": "2.3"} for version in ("2.2.1", "2.2.2"))
        assert (static(old).finding, static(young).finding) == (Finding.NOT_AFFECTED, Finding.NOT_AFFECTED)
        assert static(old).note.startswith("pytorch-lightning beside it")
        assert not static(young).note

    def test_same(self) -> None:
        """Both names in one version: the reproduction runs."""
        assert static({"pytorch-lightning": "2.2.1", "lightning": "2.2.1"}).runs

    def test_listed(self) -> None:
        """One vector of versions, all known."""
        record: Failure = failure(**BOTH)
        assert listed(record, VERSIONS)
        assert not listed(record, {"lightning": "2.2.1"})


class TestRuns:
    """What a run adds; only what is listed is believed to be seen."""

    STACK = Stack.of(VERSIONS)

    @pytest.mark.parametrize(
        ("ranks", "finding", "why"),
        [
            ((failed(0), failed(1)), Finding.SUFFERS, "KeyError: 'optimizer_states'"),
            ((rank(0), rank(1)), Finding.NOT_SEEN, "absent: "),
            ((failed(0, raised("OSError", "disk")), failed(1)), Finding.UNKNOWN, "listed; "),
        ],
    )
    def test_finding(self, ranks: Any, finding: Finding, why: str) -> None:
        """By verdict."""
        found = said(self.STACK, observation(*ranks, cell=cell(), installed=installed()))
        assert found.finding is finding
        assert found.why.startswith(why)

    def test_flaky(self) -> None:
        """Runs that disagree say nothing."""
        seen = observation(failed(0), failed(1), cell=cell(), installed=installed())
        gone = observation(rank(0), rank(1), cell=cell(), installed=installed())
        assert said(self.STACK, seen, gone).finding is Finding.UNKNOWN

    def test_broken_torch(self) -> None:
        """Where the launcher itself fails, its error is told."""
        tail = "Traceback (most recent call last):\n  File x\nImportError: libtorch_cpu.so: cannot open\n"
        nothing = observation(cell=cell(), installed=installed(), launcher_tail=tail).model_copy(update={"ranks": ()})
        found = said(self.STACK, nothing)
        assert found.finding is Finding.UNKNOWN
        assert found.why.endswith("ImportError: libtorch_cpu.so: cannot open")

    def test_not_listed(self) -> None:
        """A run cannot make a failure of what the specifiers exclude."""
        seen = observation(failed(0), failed(1), cell=cell(), installed=installed())
        assert said(Stack.of({"lightning": "2.2.2"}), seen).finding is Finding.NOT_AFFECTED


def test_cures() -> None:
    """An upgrade comes first; each is one line."""
    cures = [{"setting": "do this"}, {"backport": "cure"}, {"upgrade": {"lightning": ">=2.2.2"}}]
    assert cures_of(failure(cures=cures)) == (
        "upgrade to lightning >=2.2.2",
        "do this",
        f"backport {FAILURE}/backport.py: a default",
    )


@pytest.mark.parametrize(
    ("findings", "static", "code"),
    [
        ([Finding.SUFFERS, Finding.UNKNOWN], False, Exit.CHANGED),
        ([Finding.LISTED], True, Exit.CHANGED),
        ([Finding.LISTED], False, Exit.UNKNOWN),
        ([Finding.UNKNOWN, Finding.NOT_AFFECTED], True, Exit.UNKNOWN),
        ([Finding.NOT_SEEN, Finding.NOT_AFFECTED], False, Exit.OK),
        ([], True, Exit.OK),
    ],
)
def test_exit(findings: list[Finding], static: bool, code: Exit) -> None:
    """What was seen weighs more than what could not be told."""
    found = [Diagnosis(failure(), finding, "") for finding in findings]
    assert exit_of_diagnoses(found, static=static) is code
