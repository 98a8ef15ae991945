"""Which ranks show a failure."""

import pytest

from repro.model.named_ranks import in_words, may_show, must_show, named_ranks
from tests.unit.factories import failure
from tests.unit.model.test_failure import problem


@pytest.mark.parametrize(
    ("written", "must", "may", "words"),
    [
        ("all", [0, 1, 2, 3], [0, 1, 2, 3], "every rank"),
        ("any", [], [0, 1, 2, 3], "at least one rank"),
        (2, [2], [2], "rank 2 only"),
        ("2", [2], [2], "rank 2 only"),
        ([0, 2], [0, 2], [0, 2], "ranks 0 and 2 only"),
        ("all but 0", [1, 2, 3], [1, 2, 3], "every rank but 0"),
        ("all but 0, 3", [1, 2], [1, 2], "every rank but 0 and 3"),
    ],
)
def test_forms(written: object, must: list[int], may: list[int], words: str) -> None:
    """Each form, as it is read from a record."""
    ranks = failure(signature={"ranks": written}).signature.ranks
    assert [rank for rank in range(4) if must_show(ranks, rank)] == must
    assert [rank for rank in range(4) if may_show(ranks, rank)] == may
    assert in_words(ranks) == words


@pytest.mark.parametrize("written", ["none", "all but", "all but -1", "all but 0,1", "but 0", -1, [], [-1], ["x"]])
def test_refused(written: object) -> None:
    """Anything else is refused with the key."""
    assert "ranks" in problem(signature={"ranks": written})


def test_numbers() -> None:
    """The numbers that stand in a form."""
    assert [named_ranks(form) for form in ("all", "any", 1, (0, 2), "all but 1, 3")] == [(), (), (1,), (0, 2), (1, 3)]
