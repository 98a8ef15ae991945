"""``matrix.yaml`` -> environments, cells and expectations.  Pure: no process, no clock."""

from repro.matrix.cells import LeftOut, all_cells, default_cells
from repro.matrix.models import Environment, Matrix

__all__ = ["Environment", "LeftOut", "Matrix", "all_cells", "default_cells"]
