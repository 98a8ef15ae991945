"""What is said of an upper bound."""

from typing import Any

import pytest

from repro.doctor.cap import Cap, cap, upper_bound
from repro.model.failure import Failure
from tests.unit.doctor.known import BOTH, OPEN, STACK, YOUNG, known


def test_a_cap_above_the_newest_release() -> None:
    """It holds nothing back: it is neither needed nor in the way."""
    made = Cap(distribution="lightning", specifiers="<3", newest_within="2.6.0", newest="2.6.0", since=None)
    assert (made.reasons, made.costs) == ((), ())
    assert made.text == "the cap lightning<3 holds nothing back: 2.6.0 is the newest release"


def test_a_cap_that_no_failure_asks_for() -> None:
    """It can go since the first release beyond it, and its costs are named."""
    made = Cap(distribution="lightning", specifiers="<2.6", newest_within="2.5.6", newest="2.6.0", since="2.6.0")
    why = "the cap lightning<2.6 can go since 2.6.0: no failure of the catalogue begins there"
    assert made.text == why
    assert made.model_copy(update={"costs": ("a-1", "b-2")}).text == f"{why}; it keeps a-1, b-2"


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

    def test_every_reason_is_named(self) -> None:
        """Those that are past, or those that the newest release still has."""
        other = known("transformers-8", {"transformers": ">=5.3,<5.13"})
        found = self.judged(YOUNG, other)
        assert found.text == (
            "the cap transformers<5 can go since 5.13: past are transformers-2 (5.0 to before 5.4), "
            "transformers-8 (5.3 to before 5.13)"
        )
        still = [known(f"transformers-{first}", {"transformers": f">=5.{first}"}) for first in (3, 14)]
        assert self.judged(*still).text == (
            "the cap transformers<5 is still needed: transformers-3 begins with 5.3, transformers-14 begins with 5.14, "
            "and the newest release, 5.23, has it"
        )

    def test_costs(self) -> None:
        """What the newest release within has and the newest of all has not, whatever those before them have."""
        still = known("transformers-9", {"transformers": ">=5.3"})
        last = known("transformers-6", {"transformers": ">=4.50,<5.23"})
        gone = known("transformers-7", {"transformers": "<4.50"})
        assert self.judged(still, last, gone).costs == ("transformers-6",)

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
