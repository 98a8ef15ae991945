"""Whether a stack has a failure, by the record alone."""

from pathlib import Path

import pytest

from repro.doctor.exposure import Exposure, Judged, exposure, judge, may_affect
from repro.doctor.stack.files import read_stack
from repro.doctor.stack.stack import KnownVersion, Stack
from tests.unit.doctor.known import OLD, known
from tests.unit.factories import failure


class TestExposure:
    """Affected, clear, or not known."""

    @pytest.mark.parametrize(
        ("versions", "expected"),
        [
            ({"lightning": "2.2.1"}, Exposure.AFFECTED),
            ({"lightning": "2.2.2"}, Exposure.CLEAR),
            ({}, Exposure.CLEAR),
            ({"lightning": "2.0.9"}, Exposure.UNKNOWN),
        ],
    )
    def test_versions(self, versions: dict[str, str], expected: Exposure) -> None:
        """Below all that the record speaks of, nothing is known."""
        assert exposure(OLD, Stack.of(versions)) is expected

    def test_range(self) -> None:
        """A range that lies on both sides is not known, and may be affected."""
        stack = Stack({"lightning": KnownVersion(specifiers=">=2.2")})
        assert exposure(OLD, stack) is Exposure.UNKNOWN
        assert may_affect(OLD, stack)
        assert may_affect(OLD, Stack.of({"lightning": "2.0.9"}))
        assert not may_affect(OLD, Stack.of({"lightning": "2.2.2"}))

    def test_words(self) -> None:
        """Tables and JSON show these words."""
        assert [str(word) for word in Exposure] == ["affected", "clear", "not known"]

    def test_nothing_more_is_known_unless_said(self) -> None:
        assert Judged(Exposure.CLEAR, "why", possible=False) == Judged(Exposure.CLEAR, "why", False, None, "")


UNPINNED = KnownVersion(why="is not pinned")
PAIR = known("pair-1", {"lightning": ">=2.1,<2.2.2", "torch": ">=2.2"})


class TestNames:
    """A distribution counts under each of its names."""

    @pytest.mark.parametrize(
        ("held", "expected", "alias"),
        [
            ({"pytorch-lightning": "2.2.1"}, Exposure.AFFECTED, "pytorch-lightning"),
            ({"pytorch-lightning": "2.2.2"}, Exposure.CLEAR, ""),
            ({"lightning": "2.2.1", "pytorch-lightning": "2.2.1"}, Exposure.AFFECTED, ""),
            ({"lightning": "2.2.2", "pytorch-lightning": "2.2.1"}, Exposure.AFFECTED, "pytorch-lightning"),
        ],
    )
    def test_alias(self, held: dict[str, str], expected: Exposure, alias: str) -> None:
        """The other name decides only where it says more."""
        found = judge(OLD, Stack.of(held))
        assert (found.exposure, found.alias) == (expected, alias)

    def test_affected_under_one_name_weighs_more_than_not_known_under_the_other(self) -> None:
        stack = Stack({"lightning": KnownVersion(specifiers=">=2"), "pytorch-lightning": KnownVersion(("2.2.1",))})
        found = judge(OLD, stack)
        assert (found.exposure, found.alias) == (Exposure.AFFECTED, "pytorch-lightning")

    def test_after_a_distribution_with_one_name(self) -> None:
        pair = known("pair-2", {"accelerate": ">=1", "lightning": "<2.2"})
        assert exposure(pair, Stack.of({"accelerate": "1.0", "pytorch-lightning": "2.1"})) is Exposure.AFFECTED


@pytest.mark.parametrize(
    ("held", "possible", "why"),
    [
        (
            {"lightning": KnownVersion(("mine",)), "torch": KnownVersion(("yours",))},
            True,
            "lightning mine, torch yours: not a version that can be compared",
        ),
        (
            {"lightning": KnownVersion(specifiers=">=2.5,<2.3"), "torch": KnownVersion(("2.3",))},
            True,
            "lightning >=2.5,<2.3, torch 2.3: no version satisfies this",
        ),
        ({"lightning": UNPINNED, "torch": UNPINNED}, True, "lightning is not pinned; torch is not pinned"),
        (
            {"lightning": KnownVersion(("2.2.2.dev1", "2.2.1"), why="is one of two"), "torch": KnownVersion(("2.3",))},
            True,
            "lightning is one of two",
        ),
        (
            {"lightning": KnownVersion(("2.2.0", "2.2.1")), "torch": KnownVersion(("2.3",))},
            True,
            "lightning 2.2.0 or 2.2.1, torch 2.3",
        ),
        (
            {"lightning": KnownVersion(("2.3",)), "torch": UNPINNED},
            False,
            "lightning 2.3, torch any: only lightning >=2.1,<2.2.2, torch >=2.2 is affected",
        ),
        ({"numpy": KnownVersion(("2.0",))}, False, "lightning, torch is not installed"),
    ],
)
def test_why(held: dict[str, KnownVersion], possible: bool, why: str) -> None:
    """Every distribution that leaves the answer open, or decides it, is named."""
    found = judge(PAIR, Stack(held))
    assert (found.possible, found.why) == (possible, why)


def test_why_of_alternatives() -> None:
    """What is affected is named whole."""
    either = PAIR.model_copy(update={"affected": ({"lightning": "<2"}, {"torch": "<2"})})
    found = judge(either, Stack.of({"lightning": "2.3", "torch": "2.3"}))
    assert found.why == "lightning 2.3, torch 2.3: only lightning <2 or torch <2 is affected"
    # That one of them is not there does not decide, where the other alone would be enough.
    found = judge(either, Stack.of({"lightning": "2.3"}))
    assert found.why == "lightning 2.3: only lightning <2 or torch <2 is affected"


ROLES = failure(
    affected=[{"lightning": ">=2.2.2,<3"}],
    stages=[
        {"name": "write", "role": "writer", "meaning": "writes", "affected": [{"lightning": "<2.2.0"}]},
        {"name": "read", "role": "reader", "meaning": "reads"},
    ],
)
"""What an old release writes, a new one cannot read."""


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.3.0", Exposure.UNKNOWN), ("2.1.0", Exposure.UNKNOWN), ("2.2.1", Exposure.CLEAR), ("3.0.0", Exposure.CLEAR)],
)
def test_two_environments_decide(version: str, expected: Exposure) -> None:
    """An environment that can be one side of it is neither affected nor clear: the other side is not known."""
    found = judge(ROLES, Stack.of({"lightning": version}))
    assert found.exposure is expected
    if expected is Exposure.UNKNOWN:
        assert found.newest is Exposure.UNKNOWN
        assert found.why == (
            "two environments decide together (writer lightning <2.2.0, reader lightning >=2.2.2,<3), "
            "and this is one of them"
        )


def test_one_environment_in_all_roles() -> None:
    """Where one release has both sides of it, it is affected: it cannot read what it wrote."""
    both = ROLES.model_copy(update={"affected": ({"lightning": "<2.1.5"},)})
    assert exposure(both, Stack.of({"lightning": "2.1.0"})) is Exposure.AFFECTED


PYTHON = known("torch-5", {"torch": ">=2.2", "python": ">=3.12"})
ABSENT = known("torch-6", {"torch": ">=2.2", "numpy": "absent"})
TORCH = {"torch": KnownVersion(("2.13.0",))}


class TestPython:
    """The version of the interpreter is known from several places, or not at all."""

    @pytest.mark.parametrize(
        ("stack", "expected", "why"),
        [
            (Stack(TORCH, python="3.12.1"), Exposure.AFFECTED, "python 3.12.1, torch 2.13.0"),
            (Stack(TORCH, python="3.13.0+"), Exposure.AFFECTED, "python 3.13.0, torch 2.13.0"),
            (Stack(TORCH, python="3.12"), Exposure.AFFECTED, "python ==3.12.*, torch 2.13.0"),
            (Stack(TORCH, python="3.11"), Exposure.CLEAR, "only torch >=2.2, python >=3.12 is affected"),
            (Stack(TORCH), Exposure.UNKNOWN, "python is not stated"),
            (Stack(TORCH, python="3"), Exposure.UNKNOWN, "python is known as 3 only"),
            (Stack(TORCH, python="PyPy"), Exposure.UNKNOWN, "python is not stated"),
            (Stack(TORCH, requires_python=">=3.10"), Exposure.UNKNOWN, "python is limited only (>=3.10)"),
            (Stack(TORCH, requires_python="<3.12"), Exposure.CLEAR, "only torch >=2.2, python >=3.12 is affected"),
            (Stack.of({"torch": "2.1.0"}), Exposure.CLEAR, "only torch >=2.2, python >=3.12 is affected"),
            (Stack.of({}), Exposure.CLEAR, "torch is not installed"),
        ],
    )
    def test_python(self, stack: Stack, expected: Exposure, why: str) -> None:
        """A series is enough where it lies on one side; a limit of a project is no version."""
        found = judge(PYTHON, stack)
        assert (found.exposure, why in found.why) == (expected, True), found.why

    def test_micro(self) -> None:
        """A failure that begins inside a series is not decided by the series."""
        late = known("torch-7", {"torch": ">=2.2", "python": ">=3.12.4"})
        assert exposure(late, Stack(TORCH, python="3.12")) is Exposure.UNKNOWN
        assert exposure(late, Stack(TORCH, python="3.12.3")) is Exposure.CLEAR


class TestAbsence:
    """That a distribution is not installed is known of a full list only."""

    @pytest.mark.parametrize(
        ("stack", "expected", "why"),
        [
            (Stack(TORCH), Exposure.AFFECTED, "torch 2.13.0"),
            (Stack(TORCH, closed=False), Exposure.UNKNOWN, "numpy is not named: another distribution may bring it"),
            (Stack(TORCH, closed=False, absent=frozenset({"numpy"})), Exposure.AFFECTED, "torch 2.13.0"),
            (Stack.of({"torch": "2.13.0", "numpy": "2.2.3"}), Exposure.CLEAR, "only torch >=2.2, no numpy is affected"),
            (Stack.of({"torch": "2.1.0"}), Exposure.CLEAR, "only torch >=2.2, no numpy is affected"),
            (Stack.of({}), Exposure.CLEAR, "torch is not installed"),
            (Stack({**TORCH, "numpy": UNPINNED}), Exposure.CLEAR, "only torch >=2.2, no numpy is affected"),
            (Stack(TORCH, unlisted=frozenset({"numpy"})), Exposure.UNKNOWN, "lists of this kind leave it out"),
        ],
    )
    def test_absent(self, stack: Stack, expected: Exposure, why: str) -> None:
        found = judge(ABSENT, stack)
        assert (found.exposure, why in found.why) == (expected, True), found.why

    def test_of_texts(self, tmp_path: Path) -> None:
        """A freeze that names torch's dependencies is a full list, but leaves setuptools out; requirements are none."""
        freeze = "filelock==3.1\nfsspec==2025.1\njinja2==3.1.6\nmarkupsafe==3.0\nmpmath==1.3\nnetworkx==3.5\n"
        freeze += "sympy==1.14\ntorch==2.13.0\ntyping-extensions==4.15\n"
        setuptools = known("torch-8", {"torch": ">=2.2", "setuptools": "absent"})
        file = tmp_path / "requirements.txt"
        for text, of_numpy in ((freeze, Exposure.AFFECTED), ("torch==2.13.0\n", Exposure.UNKNOWN)):
            file.write_text(text)
            assert exposure(ABSENT, read_stack(file, ["torch", "numpy"])) is of_numpy
            assert exposure(setuptools, read_stack(file, ["torch", "setuptools"])) is Exposure.UNKNOWN
        file.write_text(freeze + "setuptools==80.0\n")
        assert exposure(setuptools, read_stack(file, ["torch", "setuptools"])) is Exposure.CLEAR

    def test_surely(self) -> None:
        """A refusal counts only if all that is possible lies in its releases."""
        assert Stack(TORCH, python="3.12").surely({"torch": ">=2", "python": ">=3.12", "numpy": "absent"})
        assert not Stack(TORCH, closed=False).surely({"torch": ">=2", "numpy": "absent"})
        assert not Stack(TORCH).surely({"python": ">=3.12"})
