"""How long a run may take.  Pure."""

from repro.model.cell import Cell
from repro.model.failure import Failure


def deadline_of(failure: Failure, cell: Cell, cores: int) -> int:
    """Seconds of wall clock for a run: the record's own, times the ranks that share a core."""
    return failure.timeout * -(-cell.world_size // max(1, cores))
