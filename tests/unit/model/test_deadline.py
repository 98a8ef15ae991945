"""How long a run may take."""

import pytest

from repro.model.deadline import deadline_of
from tests.unit.factories import cell, failure


@pytest.mark.parametrize(
    ("ranks", "cores", "seconds"), [(2, 2, 100), (2, 64, 100), (4, 2, 200), (3, 2, 200), (8, 2, 400), (2, 0, 200)]
)
def test_ranks_that_share_a_core(ranks: int, cores: int, seconds: int) -> None:
    """As many times the record's seconds as ranks share a core."""
    assert deadline_of(failure(timeout=100), cell(world_size=ranks), cores) == seconds
