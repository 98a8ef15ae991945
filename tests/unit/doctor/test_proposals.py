"""Which versions are proposed, and in which order."""

from itertools import islice

import pytest

from repro.doctor.exposure import Exposure, exposure
from repro.doctor.proposals import Axis, is_free, open_failures, proposals
from repro.doctor.stack.stack import Stack
from repro.model.failure import Failure
from tests.unit.doctor.known import BOTH, OLD, OPEN, STACK, YOUNG, known

LIGHTNING = Axis("lightning", "2.2.1", ("2.0.9", "2.1.0", "2.2.0", "2.2.1", "2.2.2", "2.3.0", "2.6.6"))
TRANSFORMERS = Axis("transformers", "4.40.2", ("4.40.1", "4.40.2", "4.57", "5.0", "5.3", "5.4", "5.14", "5.23"))
TORCH = Axis("torch", "2.2.2+cpu", ("2.1.0", "2.2.2", "2.4.1", "2.6.0"))
AXES = (LIGHTNING, TORCH, TRANSFORMERS)


def first(wanted: list[Failure], *guarded: Failure) -> list[tuple[dict[str, str], int]]:
    found = proposals(wanted, guarded, STACK, AXES)
    return [(dict(item.versions), item.distance) for item in islice(found, 3)]


def test_nearest() -> None:
    """Distance in releases, the younger first; what is held may be a local build or no release at all."""
    assert LIGHTNING.nearest[:3] == ((1, "2.2.2"), (1, "2.2.0"), (2, "2.3.0"))
    assert TORCH.nearest == ((1, "2.4.1"), (1, "2.1.0"), (2, "2.6.0"))
    assert Axis("x", "1.5.dev1", ("1.0", "2.0")).nearest == ((1, "2.0"), (1, "1.0"))


@pytest.mark.parametrize(
    ("releases", "within", "expected"),
    [
        (("1.0", "1.5", "2.0"), "<2", ((0, "1.5"), (1, "2.0"), (1, "1.0"))),
        (("1.0", "2.0"), "", ((0, "2.0"), (1, "1.0"))),
        (("1.0", "2.0rc1"), "", ((0, "2.0rc1"), (1, "1.0"))),
        (("1.0", "2.0"), ">5", ((0, "2.0"), (1, "1.0"))),
        ((), "", ()),
    ],
)
def test_nearest_of_a_range(releases: tuple[str, ...], within: str, expected: tuple[tuple[int, str], ...]) -> None:
    """The newest release in the range is where one stands, and pinning it is the smallest move."""
    assert Axis("x", None, releases, within).nearest == expected
    if not within:
        assert Axis("x", None, releases).nearest == expected


@pytest.mark.parametrize(
    ("torch", "needs", "free"),
    [
        ("2.4.1", {"torch": ">=2.4"}, True),
        ("2.2.2", {"torch": ">=2.4"}, False),
        ("2.2.2", {"transformers": ">=5"}, True),
    ],
)
def test_free(torch: str, needs: dict[str, str], free: bool) -> None:
    """Gone by the record, and its reproduction can run there; what is not installed does not hinder that."""
    gone = OLD.model_copy(update={"needs": OLD.needs.model_copy(update={"distributions": needs})})
    assert is_free(gone, Stack.of({"lightning": "2.2.2", "torch": torch})) is free


class TestProposals:
    """Fewest packages first, then the nearest releases."""

    def test_one(self) -> None:
        """A release that the record does not speak of is never proposed."""
        assert first([OLD]) == [({"lightning": "2.2.2"}, 1), ({"lightning": "2.3.0"}, 2), ({"lightning": "2.6.6"}, 3)]

    def test_two(self) -> None:
        """Two packages only where one is not enough."""
        found = first([OLD, BOTH])
        assert found[0] == ({"lightning": "2.2.2", "transformers": "5.14"}, 6)
        assert [distance for _, distance in found] == [6, 7, 7]

    def test_guarded(self) -> None:
        """Sets that bring another failure are passed over."""
        begun = known("lightning-7", {"lightning": "==2.2.2"})
        assert first([OLD], begun)[0] == ({"lightning": "2.3.0"}, 2)

    def test_all_are_right(self) -> None:
        """Each proposal leaves none, in growing size and distance, none twice."""
        found = list(proposals([OLD, BOTH], [YOUNG], STACK, AXES))
        order = [(len(item.versions), item.distance) for item in found]
        assert order == sorted(order)
        assert len({tuple(sorted(item.versions.items())) for item in found}) == len(found)
        for item in found:
            moved = STACK.moved(dict(item.versions))
            assert exposure(OLD, moved) is exposure(BOTH, moved) is Exposure.CLEAR

    def test_all_are_proposed(self) -> None:
        """Three releases of lightning with two of transformers, alone and with each of three of torch."""
        found = [len(item.versions) for item in proposals([OLD, BOTH], [], STACK, AXES)]
        assert found == [2] * 6 + [3] * 18

    def test_brute_force(self) -> None:
        """The first proposal is the best of all combinations."""
        best = []
        for lightning in (None, *LIGHTNING.nearest):
            for transformers in (None, *TRANSFORMERS.nearest):
                picked = {"lightning": lightning, "transformers": transformers}
                versions = {name: pair[1] for name, pair in picked.items() if pair}
                moved = STACK.moved(versions)
                if exposure(OLD, moved) is exposure(BOTH, moved) is Exposure.CLEAR and (
                    exposure(YOUNG, moved) is not Exposure.AFFECTED
                ):
                    best.append((len(versions), sum(pair[0] for pair in picked.values() if pair)))
        found = next(proposals([OLD, BOTH], [YOUNG], STACK, AXES))
        assert (len(found.versions), found.distance) == min(best)

    def test_none(self) -> None:
        """Nothing is proposed for what every release has."""
        every = known("torch-5", {"torch": ">=2"})
        assert first([every]) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([OLD, BOTH], []),
        ([known("torch-5", {"torch": ">=2.2"}, torch="2.2")], ["torch-5"]),
        ([known("torch-6", {"torch": ">=1"}), OLD], ["torch-6"]),
        ([OPEN], []),
    ],
)
def test_open(wanted: list[Failure], expected: list[str]) -> None:
    """Open is what no release is known to be free of; a release below the record does not count."""
    assert [item.id for item in open_failures(wanted, STACK, AXES)] == expected


def test_open_pair() -> None:
    """A failure of two packages is not open where the two together free it."""
    pair = failure_of_two()
    assert open_failures([pair], Stack.of({"lightning": "2.2.1", "torch": "2.2.2"}), AXES) == []


def test_open_where_one_package_must_stay() -> None:
    """Only the torch that is held is free of it: a combination may leave a package alone."""
    every = known("pair-2", {"lightning": "<2.2.2"}).model_copy(
        update={"affected": ({"lightning": "<2.2.2"}, {"torch": "!=2.2.2"})}
    )
    assert open_failures([every], Stack.of({"lightning": "2.2.1", "torch": "2.2.2"}), AXES) == []


def failure_of_two() -> Failure:
    return known("pair-1", {"lightning": "<2.3", "torch": ">=2"})
