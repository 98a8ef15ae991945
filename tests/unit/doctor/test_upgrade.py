"""What a change of versions would do, by the records alone."""

import pytest

from repro.doctor.stack.stack import KnownVersion, Stack
from repro.doctor.upgrade import ProposedChange, step, steps
from tests.unit.doctor.known import EVERYONE, OLD, OPEN, STACK, YOUNG


class TestSteps:
    """Package by package, and the set."""

    def test_package(self) -> None:
        """One package alone."""
        found = step(EVERYONE, STACK, {"transformers": "5.2"})
        assert (found.cured, found.brought, found.kept) == ((), ("transformers-2",), ("lightning-1", "transformers-3"))
        assert found.changes[0].text == "transformers 4.40.2 → 5.2"

    def test_set(self) -> None:
        """A set is more than its packages: the last step is the whole."""
        found = steps(EVERYONE, STACK, {"lightning": "2.6.6", "transformers": "5.23", "torch": "2.6.0"})
        assert [len(item.changes) for item in found] == [1, 1, 1, 3]
        assert found[-1].cured == ("lightning-1", "transformers-3")
        assert found[-1].brought == ("torch-4",)
        assert len(steps(EVERYONE, STACK, {"lightning": "2.6.6"})) == 1
        assert [len(item.changes) for item in steps(EVERYONE, STACK, {"lightning": "2.6.6", "torch": "2.6.0"})] == [
            1,
            1,
            2,
        ]

    @pytest.mark.parametrize(
        ("before", "after", "downgrade"),
        [("2.9", "2.10", False), ("2.10", "2.9", True), ("2.9", "2.9", False), (None, "2.9", False)],
    )
    def test_downgrade(self, before: str | None, after: str, downgrade: bool) -> None:
        """By version, not by text; what was not there is not gone back to."""
        change = ProposedChange(distribution="torch", before=before, after=after)
        assert change.is_downgrade is downgrade
        assert change.text == f"torch {before or '(not pinned)'} → {after}"

    def test_same(self) -> None:
        """A version that is there already is no change."""
        assert step(EVERYONE, STACK, {"torch": "2.2.2"}).changes == ()

    def test_unknown(self) -> None:
        """What was not known before is not counted as cured; what no version may have is left out."""
        stack = Stack({"lightning": KnownVersion(specifiers=">=2.2")})
        found = step([OLD, OPEN], stack, {"lightning": "2.6"})
        assert (found.cured, found.unknown) == ((), ("lightning-1",))

    def test_down(self) -> None:
        """Below the record, a failure is not cured."""
        found = step([OLD], STACK, {"lightning": "2.0.9"})
        assert (found.cured, found.unknown) == ((), ("lightning-1",))

    def test_new(self) -> None:
        """A distribution that was not there."""
        assert step([YOUNG], Stack.of({}), {"transformers": "5.1"}).brought == ("transformers-2",)
