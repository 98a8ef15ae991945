"""The default cells."""

from pathlib import Path

import pytest

from repro.catalog import load
from repro.errors import UsageError
from repro.matrix import default_cells
from tests.unit.factories import FAILURE, matrix, write_failure


def test_order(tmp_path: Path) -> None:
    """In the file's order: each failure's environments, then its backports."""
    write_failure(tmp_path)
    write_failure(tmp_path, id="torch-1")
    runs = {
        "torch-1": {"environments": ["new"]},
        FAILURE: {"environments": ["old", "new"], "backports": {"old": ["placebo", "cure"]}},
    }
    labels = [cell.label for cell in default_cells(matrix(runs=runs), load(tmp_path))]
    assert labels == [
        "torch-1 new",
        f"{FAILURE} old",
        f"{FAILURE} new",
        f"{FAILURE} old +placebo",
        f"{FAILURE} old +cure",
    ]


def test_unknown_names(tmp_path: Path) -> None:
    """A failure or backport that nothing defines is a usage error."""
    write_failure(tmp_path)
    with pytest.raises(UsageError, match="no failure 'torch-1'"):
        default_cells(matrix(runs={"torch-1": {"environments": ["old"]}}), load(tmp_path))
    with pytest.raises(UsageError, match="no backport"):
        default_cells(matrix(runs={FAILURE: {"environments": ["old"], "backports": {"old": ["x"]}}}), load(tmp_path))
