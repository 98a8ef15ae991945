"""A short campaign: every scenario once, and some interrupted harnesses.  The long one is ``nox -s campaign``."""

import os
from pathlib import Path

import pytest

from tests.campaign.campaign import Campaign
from tests.campaign.scenarios import SCENARIOS

INTERRUPTED = 6


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
