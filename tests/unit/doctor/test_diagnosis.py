"""What is said of an environment: never 'not affected' where that is not known."""

from collections.abc import Mapping
from typing import Any

import pytest

from repro.doctor.diagnosis import Diagnosis, Finding, diagnose, exit_of_diagnoses
from repro.doctor.exposure import Exposure
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.model.errors import Exit
from repro.model.observation import Observation, StageRun
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
            ({}, Finding.UNKNOWN),
            ({"lightning": "2.2.1", "torch": KnownVersion(specifiers=">=2.5,<2.3")}, Finding.UNKNOWN),
            ({"lightning": "2.2.2.dev1", "torch": "2.2.2"}, Finding.UNKNOWN),
            ({"lightning": "2.4.0.dev0", "torch": "2.2.2"}, Finding.NOT_AFFECTED),
            ({"lightning": "2.2.1", "torch": "2.2.0a0+6a974be.nv23.11"}, Finding.UNKNOWN),
            ({"lightning": "2.2.1", "torch": "2.5.0a0+deadbeef00.nv24.10"}, Finding.LISTED),
            (
                {"lightning": KnownVersion(("2.2.1",), inexact="is an editable install"), "torch": "2.3"},
                Finding.UNKNOWN,
            ),
            ({"lightning": KnownVersion(("2.2.0",), inexact="is an editable install"), "torch": "2.3"}, Finding.LISTED),
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
            ({"lightning": "2.2.1"}, True, "torch is not installed"),
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
        """Both names count, also side by side: code that imports the old one has the failure."""
        old, young = (static({"pytorch-lightning": version, "lightning": "2.3"}) for version in ("2.2.1", "2.2.2"))
        assert (old.finding, old.runs, young.finding) == (Finding.LISTED, False, Finding.NOT_AFFECTED)
        assert old.why == "lightning 2.2.1 of pytorch-lightning, the same code as lightning: code that imports it"

    def test_same(self) -> None:
        """Both names in one version: the reproduction runs."""
        assert static({"pytorch-lightning": "2.2.1", "lightning": "2.2.1"}).runs

    def test_needs(self) -> None:
        """What the reproduction needs decides where it can run, and nothing else."""
        needs: dict[str, Any] = {"needs": {"distributions": {"torch": ">=2.2", "numpy": ">=1"}}}
        found = static({"lightning": "2.2.1", "torch": "2.1.2"}, **needs)
        assert (found.finding, found.runs) == (Finding.LISTED, False)
        assert found.notes == ("the reproduction cannot run here: it needs torch>=2.2",)
        assert static({"lightning": "2.2.2", "torch": "2.1.2"}, **needs).notes == ()

    def test_open_above(self) -> None:
        """Above the newest release that was tried nobody knows either, and only the end that concerns one is named."""
        record: dict[str, Any] = {
            "affected": [{"lightning": ">=2.2,<2.3"}],
            "open_below": {"lightning": "2.2.0"},
            "open_above": {"lightning": "2.2.4"},
        }
        new = static({"lightning": "2.5.0"}, **record)
        assert (new.finding, new.why) == (Finding.UNKNOWN, "lightning after 2.2.4 was never tried")
        old = static({"lightning": "2.1.0"}, **record)
        assert (old.finding, old.why) == (Finding.UNKNOWN, "lightning before 2.2.0 was never tried")
        assert static({"lightning": "2.2.1"}, **record).finding is Finding.LISTED

    def test_open_below(self) -> None:
        """Below the oldest release that was tried nobody knows, unless the other distributions rule it out."""
        record: dict[str, Any] = {**BOTH, "open_below": {"lightning": "2.1.0"}}
        old = static({"lightning": "2.0.9", "torch": "2.2.2"}, **record)
        assert (old.finding, old.why) == (Finding.UNKNOWN, "lightning before 2.1.0 was never tried")
        assert static({"lightning": "2.0.9", "torch": "2.1.0"}, **record).finding is Finding.NOT_AFFECTED
        within = KnownVersion(specifiers="<2.1.0", why="is not pinned (<2.1.0)")
        assert static({"lightning": within, "torch": "2.2.2"}, **record).finding is Finding.UNKNOWN
        gap: dict[str, Any] = {
            "affected": [{"lightning": ">=2.1,<2.2"}, {"lightning": ">=2.4"}],
            "open_below": {"lightning": "2.1"},
        }
        assert static({"lightning": "2.3"}, **gap).finding is Finding.NOT_AFFECTED

    @pytest.mark.parametrize(
        ("specifiers", "newest"),
        [
            ("", Exposure.CLEAR),
            (">=2.2", Exposure.CLEAR),
            ("<=2.2.1", Exposure.AFFECTED),
            (">=1,<2.2", Exposure.AFFECTED),
        ],
    )
    def test_newest(self, specifiers: str, newest: Exposure) -> None:
        """Of a range it is said how its newest release stands."""
        found = static({"lightning": KnownVersion(specifiers=specifiers, why="is not pinned")})
        assert (found.finding, found.newest) == (Finding.UNKNOWN, newest)

    def test_newest_unknown(self) -> None:
        """Nothing is said of the newest release if it is not certain that anything is installed."""
        maybe = KnownVersion(may_be_absent=True, why="is only in an extra")
        assert static({"lightning": maybe}).newest is None
        assert static({"torch": "2.2.2"}, closed=False).newest is None

    @pytest.mark.parametrize("closed", [True, False])
    def test_none_named(self, closed: bool) -> None:
        """If none of the libraries is there, it is the wrong place to look, or half a list."""
        found = static({"numpy": "2.0"}, closed=closed, **BOTH)
        assert (found.finding, found.runs) == (Finding.UNKNOWN, False)
        assert found.why.startswith("none of lightning, torch is " + ("installed" if closed else "named"))

    @pytest.mark.parametrize(
        ("held", "note"),
        [
            (KnownVersion(("2.2.0",), inexact="is an editable install"), "lightning 2.2.0 is an editable install"),
            (KnownVersion(("2.2.0rc1",)), "lightning 2.2.0rc1 is a pre-release of 2.2.0"),
            (KnownVersion(("2.2.0+acme",)), "lightning 2.2.0+acme is a vendor build"),
        ],
    )
    def test_inexact(self, held: KnownVersion, note: str) -> None:
        """A build that is not the release of its number is named, also if it decides."""
        found = static({"lightning": held})
        assert (found.finding, found.notes) == (Finding.LISTED, (note,))

    def test_a_range_is_no_build(self) -> None:
        """Of a distribution that is not pinned there is no build to speak of, though the answer is certain."""
        found = static({"lightning": KnownVersion(specifiers=">=2.3", why="is not pinned")})
        assert (found.finding, found.notes) == (Finding.NOT_AFFECTED, ())

    @pytest.mark.parametrize(
        ("version", "cures"),
        [
            ("2.2.1", ("upgrade to lightning >=2.2.2",)),
            ("2.2.2.dev1", ("upgrade to lightning >=2.2.2",)),
            ("2.2.2", ()),
        ],
    )
    def test_cures(self, version: str, cures: tuple[str, ...]) -> None:
        """Who has the failure, or may have it, is told what helps; nobody else is."""
        assert static({"lightning": version}, cures=[{"upgrade": {"lightning": ">=2.2.2"}}]).cures == cures

    def test_beyond(self) -> None:
        """Beyond the newest release that was run, the record's word is all there is, and that is said."""
        tried = {FAILURE: {"lightning": "2.6.6", "torch": "2.15.0"}}
        record = failure(fixed_in={"lightning": "2.2.2"})
        (young,) = diagnose([record], Stack.of({"lightning": "2.7.0", "torch": "2.99"}), tried=tried)
        note = "fixed in lightning 2.2.2 by the record; newest run lightning 2.6.6; not run on 2.7.0"
        assert (young.finding, young.notes) == (Finding.NOT_AFFECTED, (note,))
        for held in ("2.6.6", "2.6.6+cpu", "my build"):
            (known,) = diagnose([record], Stack.of({"lightning": held}), tried=tried)
            assert not known.notes
        (other,) = diagnose([failure()], Stack.of({"lightning": "2.7.0"}), tried=tried)
        assert other.notes == ("newest run lightning 2.6.6; not run on 2.7.0",)

    def test_aliases_unknown(self) -> None:
        """A record below whose range nobody tried counts for the other name too."""
        record: dict[str, Any] = {"open_below": {"lightning": "2.1.0"}}
        found = static({"pytorch-lightning": "1.9.5"}, closed=False, **record)
        assert found.finding is Finding.UNKNOWN
        assert found.why.startswith("lightning before 2.1.0 was never tried")


class TestRuns:
    """What a run adds: what was seen counts, whatever the record says."""

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

    @pytest.mark.parametrize(
        ("tail", "said_last"),
        [
            (f"RuntimeError: {'x' * 400}\n", f": RuntimeError: {'x' * 286}"),
            ("ValueError: first\nKeyError: second\n", ": KeyError: second"),
            ("all was well\n", ""),
        ],
    )
    def test_last_error(self, tail: str, said_last: str) -> None:
        """The last error that was printed, at most 300 characters of it; nothing where none was."""
        held = rank(0, tail=tail, started=False)
        found = said(self.STACK, observation(held, rank(1), cell=cell(world_size=2), installed=installed()))
        assert found.why == f"listed; unrunnable: 1 of 2 ranks never started{said_last}"

    @pytest.mark.parametrize(
        ("ranks", "finding"),
        [
            ((failed(0, raised("TypeError", "no")), failed(1)), Finding.UNKNOWN),
            ((rank(0), rank(1)), Finding.NOT_AFFECTED),
        ],
    )
    def test_a_run_leaves_nothing_to_say_of_the_newest(self, ranks: Any, finding: Finding) -> None:
        """The finding is of what is installed there, with a verdict or without one."""
        stack = Stack({"lightning": KnownVersion(specifiers=">=2.2")})
        assert said(stack).newest is Exposure.CLEAR
        found = said(stack, observation(*ranks, cell=cell(), installed=installed()))
        assert (found.finding, found.newest) == (finding, None)

    @pytest.mark.parametrize(
        ("ranks", "finding", "why", "note"),
        [
            (
                (failed(0), failed(1)),
                Finding.SUFFERS,
                "KeyError",
                "the record does not list it: lightning 2.2.2: only ",
            ),
            ((rank(0), rank(1)), Finding.NOT_AFFECTED, "absent: ", ""),
            ((failed(0, raised("OSError", "disk")), failed(1)), Finding.UNKNOWN, "not listed; ", ""),
            ((), Finding.NOT_AFFECTED, "lightning 2.2.2: only ", "not run: "),
        ],
    )
    def test_not_listed(self, ranks: Any, finding: Finding, why: str, note: str) -> None:
        """A relapse is seen; a run that says nothing leaves the record's word."""
        seen = observation(*ranks, cell=cell(), installed=installed())
        if not ranks:
            seen = seen.model_copy(update={"ranks": ()})
        found = said(Stack.of({"lightning": "2.2.2"}), seen)
        assert (found.finding, found.why[: len(why)]) == (finding, why)
        assert [text[: len(note)] for text in found.notes] == ([note] if note else [])

    @pytest.mark.parametrize(
        ("ranks", "finding", "why"),
        [
            ((failed(0), failed(1)), Finding.SUFFERS, "KeyError"),
            ((rank(0), rank(1)), Finding.NOT_AFFECTED, "absent: "),
            (
                (failed(0, raised("OSError", "disk")), failed(1)),
                Finding.UNKNOWN,
                "lightning 2.2.2.dev1 is a pre-release",
            ),
        ],
    )
    def test_unknown(self, ranks: Any, finding: Finding, why: str) -> None:
        """A run on the very installation decides what its version leaves open."""
        seen = observation(*ranks, cell=cell(), installed=installed())
        found = said(Stack.of({"lightning": "2.2.2.dev1"}), seen)
        assert (found.finding, found.why[: len(why)]) == (finding, why)

    def test_a_run_here_settles_what_was_not_run(self) -> None:
        """That nobody ran a release is no longer so; what else limits the finding stays."""
        record = failure(affected=[{"lightning": ">=2.1.0"}])
        stack = Stack({"lightning": KnownVersion(("2.7.0",), inexact="is an editable install")})
        seen = observation(rank(0), rank(1), cell=cell(), installed=installed())
        tried = {FAILURE: {"lightning": "2.6.6"}}
        (before,) = diagnose([record], stack, tried=tried)
        (after,) = diagnose([record], stack, {FAILURE: judge_repetitions(record, [seen])}, tried=tried)
        editable = "lightning 2.7.0 is an editable install"
        assert before.notes == (editable, "newest run lightning 2.6.6; not run on 2.7.0")
        assert after.notes == (editable,)

    def test_not_run(self) -> None:
        """It is said why a listed failure was not run, and of no other."""
        reasons = {FAILURE: "it needs a GPU"}
        (listed,) = diagnose([failure()], self.STACK, {}, reasons)
        (other,) = diagnose([failure()], Stack.of({"lightning": "2.2.2"}), {}, reasons)
        assert listed.why == "lightning 2.2.1; not run: it needs a GPU"
        assert "not run" not in other.why


def test_nothing_more_is_known_unless_said() -> None:
    record = failure()
    assert Diagnosis(record, Finding.LISTED, "why") == Diagnosis(record, Finding.LISTED, "why", (), True, (), None)


def test_words() -> None:
    """Tables, JSON and pages show these words."""
    assert [str(finding) for finding in Finding] == [
        "suffers",
        "listed, not seen",
        "listed",
        "not affected",
        "could not tell",
    ]


def test_cures() -> None:
    """An upgrade comes first; each is one line."""
    cures = [{"setting": "do this"}, {"backport": "cure"}, {"upgrade": {"lightning": ">=2.2.2"}}]
    assert failure(cures=cures).cure_lines == (
        "upgrade to lightning >=2.2.2",
        "do this",
        f"backport {FAILURE}/backport.py: a default",
    )
    # Who has a newer release than these goes back.
    older = [{"upgrade": {"lightning": ">=2.2.0,<2.6.0"}}]
    assert failure(cures=older).cure_lines == ("use lightning >=2.2.0,<2.6.0",)


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


def test_roles_that_one_environment_cannot_play() -> None:
    """A pass where one environment writes and reads says nothing of a reader with another writer."""
    stages = [
        {"name": "write", "role": "writer", "meaning": "writes", "affected": [{"lightning": "<2.2.0"}]},
        {"name": "read", "role": "reader", "meaning": "reads"},
    ]
    ranks = (rank(0), rank(1))
    part = StageRun(name="write", seconds=1.0, launcher="torchrun", launcher_code=0, timeout=60, ranks=ranks)
    seen = observation(*ranks, stage="read", earlier=(part,))
    item = said(Stack.of(VERSIONS), seen, affected=[{"lightning": ">=2.2.1"}], stages=stages)
    assert item.finding is Finding.UNKNOWN
    assert item.notes[-1] == "absent where this environment plays every role"
