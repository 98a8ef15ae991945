"""Which default cells have no recent run."""

from datetime import UTC, datetime

from repro.report.overdue import stale
from repro.report.rows import Row
from tests.unit.factories import cell

OLDEST = datetime(2026, 11, 1, tzinfo=UTC)


def row(**fields: object) -> Row:
    return Row.model_validate({"cell": cell(), "verdict": "absent", "date": "2026-11-02T00:00:00+00:00", **fields})


def test_recent() -> None:
    assert stale([row(), row(date="2026-11-01T00:00:00+00:00")], OLDEST) == []


def test_reasons() -> None:
    """Never run, not runnable, too old: each with the cell's label; a verdict that is unknown is no run."""
    label = cell().label
    rows = [row(verdict=None), row(verdict="unrunnable", reason="no wheel"), row(date="2026-10-31T23:59:59+00:00")]
    assert stale(rows, OLDEST) == [
        f"{label}: never run as it is today",
        f"{label}: could not be run: no wheel",
        f"{label}: last run on 2026-10-31",
    ]
