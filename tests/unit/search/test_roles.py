"""Which role a search moves, and what the record says of it alone."""

from typing import Any

import pytest

from repro.model.affected import is_affected
from repro.model.cell import Named
from repro.model.errors import UsageError
from repro.model.failure import Failure, Lane
from repro.model.matrix import Matrix
from repro.search.roles import Moved, as_moved, moved_role, start_of
from tests.unit.factories import FAILURE, MATRIX, STAGES, failure, matrix


def staged(**changes: Any) -> Failure:
    return failure(affected=[{"lightning": ">=2.2.2"}], stages=STAGES, **changes)


def paired() -> Matrix:
    """The first pair is not affected: both roles are as they should be."""
    pairs = [{"writer": "new", "reader": "old"}, {"writer": "old", "reader": "new"}]
    runs = {"environments": ["old"], "pairs": [{"environments": pair} for pair in pairs]}
    return matrix(runs={**MATRIX["runs"], FAILURE: runs})


class TestMovedRole:
    """The role is named, the others come from the affected pair."""

    def test_from_the_affected_pair(self) -> None:
        moved = moved_role(staged(), paired(), "reader", {})
        assert moved == Moved("reader", {"writer": "old"})
        assert start_of(staged(), paired(), moved) == "new"
        assert moved.words == ["--stage", "reader", "--stage-env", "writer=old"]

    def test_given(self) -> None:
        assert moved_role(staged(), paired(), "writer", {"reader": "old"}) == Moved("writer", {"reader": "old"})

    @pytest.mark.parametrize(
        ("stage", "given", "said"),
        [
            (None, {}, "roles writer, reader"),
            ("raeder", {}, "did you mean 'reader'"),
            ("reader", {"reader": "old"}, "this role is moved"),
            ("reader", {"writer": "odl"}, "did you mean 'old'"),
            ("reader", {"critic": "old"}, "critic"),
        ],
    )
    def test_refused(self, stage: str | None, given: dict[str, str], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            moved_role(staged(), paired(), stage, given)

    def test_no_stages(self) -> None:
        assert moved_role(failure(), matrix(), None, {}) == Moved()
        with pytest.raises(UsageError, match="has no stages"):
            moved_role(failure(), matrix(), "reader", {})

    def test_no_pair(self) -> None:
        with pytest.raises(UsageError, match="--stage-env writer=NAME"):
            moved_role(staged(), matrix(), "reader", {})

    def test_cells(self) -> None:
        """A moved writer leaves the reader where it is: the cell's own environment is the reader's."""
        made = Moved("writer", {"reader": "new"}).cell(staged(), "derived", Lane.CPU)
        assert (made.environment, made.roles) == (Named("new"), {"writer": Named("derived")})
        made = Moved("reader", {"writer": "old"}).cell(staged(), "derived", Lane.CPU)
        assert (made.environment, made.roles) == (Named("derived"), {"writer": Named("old")})


class TestAsMoved:
    """What the record says of one role depends on where the others are."""

    def test_reader(self) -> None:
        held = as_moved(staged(), Moved("reader", {"writer": "old"}), {"writer": {"lightning": "2.2.1"}})
        assert is_affected(held, {"lightning": "2.2.2"})
        assert not is_affected(held, {"lightning": "2.2.1"})

    def test_writer(self) -> None:
        held = as_moved(staged(), Moved("writer", {"reader": "new"}), {"reader": {"lightning": "2.2.2"}})
        assert is_affected(held, {"lightning": "2.2.1"})
        assert not is_affected(held, {"lightning": "2.2.2"})

    def test_other_is_clear(self) -> None:
        """With a writer that is not affected no reader is."""
        held = as_moved(staged(), Moved("reader", {"writer": "new"}), {"writer": {"lightning": "2.2.2"}})
        assert not is_affected(held, {"lightning": "2.2.2"})
