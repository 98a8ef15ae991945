"""``repro check`` demands for each pattern a log that it matches and a near miss that it does not."""

from pathlib import Path
from typing import Any

import pytest

from repro.doctor.log.examples import example_faults
from tests.unit.doctor.log.test_outcome import ERROR, SAVE
from tests.unit.factories import FAILURE, entry

NEAR = ERROR.replace("save_checkpoint", "load_checkpoint")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs" / FAILURE
    folder.mkdir(parents=True)
    (folder / "save.log").write_text(ERROR)
    (folder / "save.near.log").write_text(NEAR)
    return folder.parent


def faults(tmp_path: Path, logs: Path | None, **changes: Any) -> list[str]:
    return [str(fault) for fault in example_faults(entry(tmp_path / "failures", seen_as=[SAVE], **changes), logs)]


def test_complete(tmp_path: Path, logs: Path) -> None:
    """A match and a near miss: no fault; an installed wheel has no logs to look at."""
    assert faults(tmp_path, logs) == []


def test_without_tests(tmp_path: Path) -> None:
    """An installed wheel carries no logs."""
    assert faults(tmp_path, None) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("save.log", None, "save.log is missing"),
        ("save.near.log", None, "save.near.log is missing"),
        ("save.log", NEAR, "is not matched: not in lightning's save_checkpoint"),
        ("save.near.log", ERROR, "is a near miss and must not match, but save does"),
    ],
)
def test_faults(tmp_path: Path, logs: Path, name: str, text: str | None, problem: str) -> None:
    """Each with the line of the pattern in the record."""
    file = logs / FAILURE / name
    file.unlink() if text is None else file.write_text(text)
    (fault,) = faults(tmp_path, logs)
    assert problem in fault
    assert "seen_as.0" in fault
