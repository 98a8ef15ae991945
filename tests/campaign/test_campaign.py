"""A short campaign: every scenario once, and some interrupted harnesses.  The long one is ``nox -s campaign``."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repro.launch.warm import WarmLauncher
from repro.model.verdict import Judgement, Verdict
from repro.store.observations import Store
from tests.campaign import campaign
from tests.campaign.campaign import ENDS, MARK, Campaign, Trial, orphans
from tests.campaign.scenarios import SCENARIOS
from tests.unit.factories import cell, observation

INTERRUPTED = len(ENDS)


def test_every_fault_is_judged_rightly_and_leaves_nothing(tmp_path: Path) -> None:
    """No wrong verdict, no orphan, no half written file, no lost run; seeded, so that a failure comes again."""
    figures = Campaign(tmp_path, 20261125, len(SCENARIOS), INTERRUPTED).run(4 * (os.cpu_count() or 1))
    assert figures.faults == []
    assert set(figures.scenarios) == {scenario.name for scenario in SCENARIOS}
    # A loaded machine may keep a rank from its own code until the deadline; more than a few are another fault.
    assert len(figures.undecided) <= len(SCENARIOS) // 20, figures.undecided


def test_a_trial_that_breaks_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs no figures of the others: a campaign of an hour once ended without any."""

    def broken(_campaign: Campaign, number: int) -> None:
        raise RuntimeError(f"broken {number}")

    monkeypatch.setattr(Campaign, "interrupt", broken)
    figures = Campaign(tmp_path, 1, 0, 2).run(1)
    assert figures.wrong == ["harness 0: RuntimeError('broken 0')", "harness 1: RuntimeError('broken 1')"]


def test_a_wrong_verdict_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the judge says against the truth; ``unrunnable`` is only undecided."""
    said = {0: Verdict.REPRODUCED, 1: Verdict.DIFFERENT, 2: Verdict.UNRUNNABLE, 3: Verdict.ABSENT}
    found = Campaign(tmp_path, 1, 0, 0)
    for number, verdict in said.items():
        monkeypatch.setattr(campaign, "judge", lambda _failure, _seen, v=verdict: Judgement(v, "as told"))
        found.fault(Trial(number, "passes", "torchrun", 0), WarmLauncher())
    assert [line.partition(")")[2] for line in found.figures.wrong] == [": reproduced, as told", ": different, as told"]
    assert len(found.figures.undecided) == 1


def test_an_orphan_is_found_by_its_note_and_by_the_mark(tmp_path: Path) -> None:
    """Both are killed, so that a campaign leaves none."""
    notes = tmp_path / "notes"
    notes.mkdir()
    noted = subprocess.Popen(["sleep", "60"])
    (notes / str(noted.pid)).write_text("")
    with_mark = subprocess.Popen(["sleep", "60"], env=os.environ | {MARK: str(tmp_path)})
    try:
        assert orphans(notes, 0.1) == [noted.pid]
        assert noted.wait(5) == -signal.SIGKILL
        assert orphans(notes, 0.1, tmp_path) == [with_mark.pid]
        assert with_mark.wait(5) == -signal.SIGKILL
    finally:
        noted.kill()
        with_mark.kill()


def test_half_files_lost_runs_and_wrong_verdicts_of_a_harness_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an interrupted harness could leave them."""
    place = tmp_path / "interrupt-0"
    store = Store(place / "reports")
    left = f"""
from pathlib import Path
reports = Path({str(store.root)!r})
(reports / "pytorch-0").mkdir(parents=True, exist_ok=True)
(reports / "pytorch-0" / "half.json").write_text('{{"format": ')
(reports / "pytorch-0" / ".half.json.x1").write_text("")
print("stored gone")
"""
    monkeypatch.setattr(campaign, "ENDS", ("SIGTERM",))
    monkeypatch.setattr(sys, "executable", str(_python(tmp_path / "python", left)))
    found = Campaign(tmp_path, 1, 0, 1)
    found.interrupt(0)
    assert len(found.figures.half_files) == 2
    assert [line.rpartition(" ")[2] for line in found.figures.lost[:1]] == ["gone"]
    seen = observation(cell=cell(failure="pytorch-4"))
    (store.root / "pytorch-0" / "half.json").unlink()
    store.add(seen)
    store.record_verdict(seen.id, Verdict.ABSENT)
    assert len(list(found.misjudged(place))) == 1


def _python(file: Path, source: str) -> Path:
    """An interpreter that runs this source whatever it is asked for, and waits to be signalled."""
    file.write_text(f"#!{sys.executable}\n{source}\nimport time\ntime.sleep(60)\n")
    file.chmod(0o755)
    return file
