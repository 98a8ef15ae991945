"""``matrix.yaml`` -> environments, cells and expectations.  Pure: no process, no clock."""

from repro.matrix.cells import default_cells
from repro.matrix.models import Environment, Matrix

__all__ = ["Environment", "Matrix", "default_cells"]
