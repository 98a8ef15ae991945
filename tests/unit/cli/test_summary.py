"""``repro summary``."""

from pathlib import Path

import pytest

from repro.model.cell import make_cell
from repro.model.verdict import Status, Verdict
from repro.report.rows import Report, Row
from tests.unit.cli.calls import called
from tests.unit.factories import failure


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reports of a catalogue elsewhere lie where one works."""
    monkeypatch.chdir(tmp_path)
    row = Row(cell=make_cell(failure(id="mine-1"), "old"), verdict=Verdict.ABSENT, status=Status.CURED, k=1, n=1)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "matrix.json").write_text(Report(rows=(row,)).model_dump_json())
    code, out, _ = called(["summary", "--catalog", str(tmp_path)], capsys, monkeypatch)
    assert code == 0
    assert "mine-1" in out
