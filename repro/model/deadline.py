"""How long a run may take.  Pure."""

from repro.model.cell import Cell
from repro.model.failure import Failure


def deadline_of(failure: Failure, cell: Cell, cores: int, own: int | None = None) -> int:
    """Seconds of wall clock for a run: the record's own, times the ranks that share a core.

    ``own`` is that of a stage, in the place of the record's.
    """
    return (own or failure.timeout) * -(-cell.world_size // max(1, cores))
