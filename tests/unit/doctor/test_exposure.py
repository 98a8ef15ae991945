"""Whether a stack has a failure, by the record alone."""

import pytest

from repro.doctor.exposure import Exposure, Judged, exposure, judge, may_affect
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
        assert found.why == (
            "two environments decide together (writer lightning <2.2.0, reader lightning >=2.2.2,<3), "
            "and this is one of them"
        )


def test_one_environment_in_all_roles() -> None:
    """Where one release has both sides of it, it is affected: it cannot read what it wrote."""
    both = ROLES.model_copy(update={"affected": ({"lightning": "<2.1.5"},)})
    assert exposure(both, Stack.of({"lightning": "2.1.0"})) is Exposure.AFFECTED
