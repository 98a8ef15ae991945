"""What a change of versions would do, by the records alone."""

from typing import Any

import pytest

from repro.doctor.cap import cap, upper_bound
from repro.doctor.exposure import Exposure, exposure, may_affect
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.doctor.upgrade import ProposedChange, step, steps
from repro.model.failure import Failure
from tests.unit.factories import failure


def known(failure_id: str, affected: dict[str, str], **open_below: str) -> Failure:
    return failure(id=failure_id, affected=[affected], open_below=open_below)


OLD = known("lightning-1", {"lightning": ">=2.1,<2.2.2"}, lightning="2.1")
YOUNG = known("transformers-2", {"transformers": ">=5,<5.4"})
BOTH = known("transformers-3", {"transformers": "<5.14", "lightning": ">=2.1"})
OPEN = known("torch-4", {"torch": ">=2.5"})
EVERYONE = (OLD, YOUNG, BOTH, OPEN)
STACK = Stack.of({"torch": "2.2.2", "lightning": "2.2.1", "transformers": "4.40.2"})


class TestStanding:
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


class TestCap:
    """Whether an upper bound is still needed."""

    RELEASES = ("4.40.2", "4.57.6", "5.0", "5.3", "5.4", "5.13", "5.14", "5.23")

    def judged(self, *failures: Failure, specifiers: str = "<5", **held: Any) -> Any:
        return cap(failures, STACK.moved(held), "transformers", specifiers, self.RELEASES)

    def test_past(self) -> None:
        """A failure that begins beyond and is fixed: the cap can go since the fix."""
        found = self.judged(YOUNG)
        assert (found.since, found.newest_within) == ("5.4", "4.57.6")
        assert [(reason.first, reason.fixed) for reason in found.reasons] == [("5.0", "5.4")]
        assert found.text == "the cap transformers<5 can go since 5.4: past are transformers-2 (5.0 to before 5.4)"

    def test_needed(self) -> None:
        """The newest release has it: still needed, and what it costs is said."""
        still = known("transformers-9", {"transformers": ">=5.3"})
        found = self.judged(YOUNG, still, BOTH)
        assert found.since is None
        assert found.text == (
            "the cap transformers<5 is still needed: transformers-9 begins with 5.3, "
            "and the newest release, 5.23, has it; it keeps transformers-3"
        )

    def test_no_reason(self) -> None:
        """Nothing begins beyond: the cap only keeps an old failure."""
        found = self.judged(BOTH)
        assert found.since == "5.0"
        assert found.costs == ()
        late = self.judged(BOTH, specifiers="<5.14")
        assert (late.since, late.costs) == ("5.14", ("transformers-3",))

    def test_other_package(self) -> None:
        """A failure of another distribution, or one whose other conditions do not hold, is no reason."""
        begun = known("transformers-8", {"transformers": ">=5", "lightning": ">=2.3"})
        assert self.judged(OPEN, begun).reasons == ()
        assert self.judged(begun, lightning="2.6.6").since is None

    def test_newest(self) -> None:
        """Nothing lies beyond."""
        assert self.judged(YOUNG, specifiers="<6").text.endswith("holds nothing back: 5.23 is the newest release")

    def test_nothing_within(self) -> None:
        """A cap below all releases."""
        found = self.judged(YOUNG, specifiers="<4")
        assert (found.since, found.newest_within) == ("5.4", None)

    def test_newest_within_decides(self) -> None:
        """What the newest release within the cap has is no reason for it, whatever older ones have."""
        found = self.judged(known("transformers-9", {"transformers": ">=5.3"}), YOUNG, specifiers="<5.4")
        assert (found.newest_within, found.reasons, found.costs) == ("5.3", (), ("transformers-2",))

    def test_several(self) -> None:
        """A failure that is no reason hides none that comes after it."""
        assert [reason.failure for reason in self.judged(BOTH, YOUNG).reasons] == ["transformers-2"]

    def test_below(self) -> None:
        """Releases below the range do not lie beyond its cap; a pre-release counts by its version."""
        assert self.judged(specifiers=">=4.50,<5").since == "5.0"
        found = cap((), STACK, "transformers", "<5", ("4.40.2", "4.99rc1", "5.0"))
        assert (found.newest_within, found.since) == ("4.99rc1", "5.0")


@pytest.mark.parametrize(
    ("specifiers", "expected"),
    [("<5", True), (">=4,<=5", True), ("~=4.40", True), ("==4.*", True), (">=4", False), ("!=4.1", False), ("", False)],
)
def test_upper_bound(specifiers: str, expected: bool) -> None:
    """What ends a range."""
    assert upper_bound(specifiers) is expected
