"""The catalogue in brief."""

from pathlib import Path

from repro.report.brief import BriefFailure, brief
from tests.unit.factories import FAILURE, project


def test_parts(tmp_path: Path) -> None:
    """Every part is that of the record, and nothing else is in the answer."""
    held = project(tmp_path).catalog
    (found,) = brief(held).failures
    record = held[FAILURE].failure
    assert found.id == FAILURE
    assert found.model_dump() == record.model_dump(include=set(BriefFailure.model_fields))
