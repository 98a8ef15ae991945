"""``repro summary``."""

from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.model.answers.evidence import SummaryAnswer
from repro.model.cell import make_cell
from repro.model.verdict import Status, Verdict
from repro.report.rows import Report, Row
from repro.store.answers import AnswerStore
from tests.unit.cli.calls import Call, called
from tests.unit.factories import FAILURE, failure
from tests.unit.search.test_watch_plan import answer as turned


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reports of a catalogue elsewhere lie where one works."""
    monkeypatch.chdir(tmp_path)
    row = Row(cell=make_cell(failure(id="mine-1"), "old"), verdict=Verdict.ABSENT, status=Status.CURED, k=1, n=1)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "matrix.json").write_text(Report(rows=(row,)).model_dump_json())
    code, out, _ = called(["summary", "--catalog", str(tmp_path)], capsys, monkeypatch)
    assert code == 0
    assert "mine-1" in out


def test_a_release_that_changed_a_verdict_has_a_file(held: Project, call: Call, tmp_path: Path) -> None:
    """Until the record says the same: title, evidence, the bound as a patch, and the mark by which it is found."""
    (held.reports).mkdir()
    (held.reports / "matrix.json").write_text(Report(rows=()).model_dump_json())
    versions = {"lightning": "2.2.1", "torch": "2.2.2"}
    after = turned().after.model_copy(update={"versions": versions})
    AnswerStore(held.reports / "data").put(turned(failure=FAILURE, after=after, proposal="--- a\n+++ b\n+```x\n"))
    assert call("summary", "--issues", str(tmp_path / "issues"))[0] == 0
    (file,) = (tmp_path / "issues").iterdir()
    title, _, body = file.read_text().partition("\n\n")
    assert title.startswith("lib 1.2 of 2026-02-10: lightning-19492 is cured")
    assert f"`{file.stem}`" in body
    assert "````diff\n--- a\n+++ b\n+```x\n````" in body

    agreed = after.model_copy(update={"versions": {"lightning": "2.2.2", "torch": "2.2.2"}})
    AnswerStore(held.reports / "data").put(turned(failure=FAILURE, after=agreed))
    file.unlink()
    call("summary", "--issues", str(tmp_path / "issues"))
    assert not list((tmp_path / "issues").iterdir())


def test_json_and_issues(held: Project, call: Call, tmp_path: Path) -> None:
    """Causes in JSON, and one file for each of them."""
    held.reports.mkdir(parents=True, exist_ok=True)
    changed = Row(cell=make_cell(failure(), "old"), verdict=Verdict.ABSENT, status=Status.CURED, k=1, n=1)
    missing = Row(cell=make_cell(failure(), "new"), not_run="never")
    (held.reports / "matrix.json").write_text(Report(rows=(changed, missing)).model_dump_json())
    code, out, _ = call("summary", "--json", "--issues", str(tmp_path / "issues"))
    answer = SummaryAnswer.model_validate_json(out)
    assert (code, answer.cells, answer.run, answer.not_run) == (0, 2, 1, (missing.cell,))
    (cause,) = answer.causes
    assert (cause.status, cause.cells) == ("cured", (changed.cell,))
    assert (tmp_path / "issues" / f"{cause.slug}.md").read_text().startswith(cause.title)


def test_no_report(call: Call) -> None:
    """Without a report the command says how to write one: exit code 3."""
    code, _, err = call("summary")
    assert code == 3
    assert "cannot be read; write it anew with `repro report`" in err
