"""A watch over releases whose runs are jobs of a real cluster."""

from datetime import date

import pytest

from repro.launch.slurm.batches import SlurmOptions
from repro.model.verdict import Verdict
from repro.search.index import fetch_files
from repro.search.watch_run import Watch
from repro.search.watch_search import WatchBudget
from tests.slurm.cluster import lacking
from tests.slurm.conftest import Lab

pytestmark = [pytest.mark.slurm, pytest.mark.whole, pytest.mark.skipif(bool(lacking()), reason=str(lacking()))]


def test_a_release_that_mends(lab: Lab) -> None:
    """The new release runs on a node, and so does each point of the search for what changed."""
    (locked,) = lab.run(lab.cells("tool-1"))
    assert locked.verdict is Verdict.REPRODUCED
    record = lab.project.catalog["tool-1"].failure
    watch = Watch(lab.project, "small", date(2025, 8, 1), fetch_files, [record], slurm=SlurmOptions())
    heard: list[str] = []
    answers = watch.run(WatchBudget(), lab.heard, heard.append)
    assert len(answers) == 1, [*heard, *lab.heard.texts]
    (found,) = answers
    assert (found.package, found.last, found.release, found.exact) == ("tool", "1.0", "1.1", True), heard
    assert not watch.look().watched.is_owed
    assert {seen.launcher for seen in lab.store} >= {"torchrun"}
    assert lab.heard.begun.count("tool-1") >= 3, "the locked cell, the new release, the neighbours again"
    assert not list((lab.project.cache / "slurm").iterdir())
    assert not lab.jobs()
