"""The default cells."""

from pathlib import Path

import pytest

from repro.catalog.catalog import load
from repro.catalog.default_cells import NotApplicable, all_cells, default_cells
from repro.model.errors import UsageError
from repro.model.failure import Lane
from tests.unit.factories import FAILURE, failure, matrix, write_failure


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


class TestAllCells:
    """Every failure on every environment that it applies to."""

    VERSIONS = {
        "old": {"torch": "2.2.2", "lightning": "2.2.1"},
        "young": {"torch": "2.13.0", "lightning": "2.6.6"},
        "bare": {"torch": "2.2.2"},
    }
    NEEDS = {"distributions": {"lightning": ">=2.1", "torch": "<2.10"}}

    def test_applies(self) -> None:
        """Affected or not: what it needs decides; the rest is left out, each with its reason."""
        cells, left_out = all_cells([failure(needs=self.NEEDS), failure(id="torch-1")], self.VERSIONS)
        assert [cell.label for cell in cells] == [f"{FAILURE} old", "torch-1 old", "torch-1 young", "torch-1 bare"]
        assert left_out == [
            NotApplicable(FAILURE, "young", "needs torch<2.10, found 2.13.0"),
            NotApplicable(FAILURE, "bare", "needs lightning>=2.1, which is not installed"),
        ]

    def test_lane(self) -> None:
        """A failure that needs devices has no cell in the CPU lane."""
        held = failure(needs={"lanes": ["cuda"]})
        cells, left_out = all_cells([held], {"old": self.VERSIONS["old"]})
        assert (cells, left_out) == ([], [NotApplicable(FAILURE, "old", "runs in lane cuda only")])
        cells, left_out = all_cells([held], {"old": self.VERSIONS["old"]}, Lane.CUDA)
        assert ([cell.lane for cell in cells], left_out) == ([Lane.CUDA], [])
