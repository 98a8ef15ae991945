"""Cells on a real cluster: what comes back, and what follows when nodes, jobs, queues and folders fail."""

import signal
import subprocess
import sys

import psutil
import pytest

from repro.catalog import plan
from repro.launch.session import Options
from repro.launch.slurm.batches import SlurmOptions
from repro.model.errors import StoreError
from repro.model.verdict import Verdict
from repro.search.trials import Trials
from repro.store.upkeep import verify
from tests.slurm.cluster import NODES, Cluster, lacking, wait_for
from tests.slurm.conftest import Background, Lab

pytestmark = [pytest.mark.slurm, pytest.mark.whole, pytest.mark.skipif(bool(lacking()), reason=str(lacking()))]


def test_results_come_back(lab: Lab) -> None:
    """Each cell has its verdict, judged here; the store is whole; nothing is left of the jobs."""
    cells = lab.cells("tool-1", "tool-2", "tool-3")
    found = lab.run(cells)
    assert [result.cell for result in found] == cells
    expected = [Verdict.REPRODUCED, Verdict.ABSENT, Verdict.ABSENT]
    assert [result.verdict for result in found] == expected, [result.judgement for result in found]
    assert verify(lab.store) == (3, [])
    assert set(lab.store.recorded_verdicts().values()) == {"reproduced", "absent"}
    assert sorted(lab.heard.begun) == ["tool-1", "tool-2", "tool-3"]
    assert {one.hosts for one in lab.store} == {1}
    assert not list((lab.project.cache / "slurm").iterdir())
    again = lab.run(cells, fresh=False)
    assert [result.reused for result in again] == [1, 1, 1]
    assert verify(lab.store) == (3, [])


def test_two_nodes(lab: Lab) -> None:
    """The ranks of one cell run on two nodes of an allocation, and its observation says so."""
    (result,) = lab.run(lab.cells("tool-2", nodes=2))
    assert result.verdict is Verdict.ABSENT, result.judgement
    (seen,) = result.observations
    assert (seen.hosts, seen.cell.nodes, len(seen.ranks)) == (2, 2, 2)
    assert seen.cores is None, "each node has a core for its rank"


def test_a_point_of_a_search(lab: Lab) -> None:
    """An environment that a search defines is built here, and comes to the node with its lock."""
    record = lab.project.catalog["tool-1"].failure
    defined = {"a point": lab.project.matrix.environments["small"].model_copy(update={"cutoff": "2025-06-02"})}
    with Trials(lab.project, record, Options(warm=False), lab.heard, slurm=SlurmOptions()) as trials:
        trials.define(defined)
        assert trials.ask("a point", "1.0").verdict is Verdict.REPRODUCED
    (seen,) = lab.store
    assert seen.cell.environment.label == "a point"


def test_a_node_is_killed(lab: Lab) -> None:
    """Its cell is sent once more, to another node, and has a verdict of that run alone."""
    run = Background(lab, lab.cells("tool-9"))
    wait_for(lambda: lab.began, "a rank that waits")
    node = lab.cluster.call("squeue", "--noheader", "--format=%N")
    lab.cluster.kill_node(node)
    lab.gate.touch()
    run.wait()
    lab.cluster.start_node(node)
    (result,) = run.results
    assert result.verdict is Verdict.ABSENT
    assert len(list(lab.store)) == 1
    assert f"on {node} left 1 cells without a result: its node failed; 1 sent again" in str(lab.heard.texts)
    wait_for(lambda: lab.cluster.call("sinfo", "-h", "-t", "idle", "-o", "%D") == str(len(NODES)), "idle nodes")


def test_a_job_is_cancelled_twice(lab: Lab) -> None:
    """Nothing is known of its cell then, and the reason says why."""
    run = Background(lab, lab.cells("tool-9"))
    for _ in range(2):
        wait_for(lambda: lab.began, "a rank that waits")
        lab.gate.with_name("gate.began").unlink()
        lab.cluster.call("scancel", "--user=root")
        wait_for(lambda: not lab.jobs(), "the job's end")
    run.wait()
    (lost,) = run.results
    assert lost.verdict is Verdict.UNRUNNABLE
    assert lost.newest.fault == "not run on the cluster: its job was cancelled; sent again: its job was cancelled"
    assert set(lab.store.recorded_verdicts().values()) == {"unrunnable"}


def test_a_full_queue(full_queue: Cluster, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that Slurm does not take now are submitted when others have ended; no cell is lost."""
    monkeypatch.setenv("SLURM_CONF", str(full_queue.conf))
    monkeypatch.setattr(plan, "BUILD_SECONDS", 0.0)
    cells = lab.cells("tool-1", "tool-2", "tool-3")
    found = lab.run(cells, jobs=3)
    assert [result.verdict for result in found] == [Verdict.REPRODUCED, Verdict.ABSENT, Verdict.ABSENT]
    assert not full_queue.call("squeue", "--noheader")


def test_a_node_without_the_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that can neither find nor build it says so, and the cell has no verdict; another job would not help."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("REPRO_INDEX", "http://127.0.0.1:9/simple")
    (result,) = lab.run(lab.cells("tool-2"))
    assert result.verdict is Verdict.UNRUNNABLE
    assert "torch was not found" in str(result.newest.fault)
    assert "sent again" not in str(lab.heard.texts)


def test_the_shared_folder_becomes_read_only(lab: Lab) -> None:
    """One clear line, no verdict, and no job that goes on."""
    run = Background(lab, lab.cells("tool-9"))
    wait_for(lambda: lab.began, "a rank that waits")
    shared = str(lab.project.cache / "slurm")
    if subprocess.run(["mount", "--bind", shared, shared], check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", shared], check=True)
        lab.gate.touch()
        run.wait()
        assert isinstance(run.error, StoreError), run.results
        assert "cannot be written: Read-only file system" in str(run.error)
        assert not lab.jobs()
        assert not list(lab.store)
    finally:
        subprocess.run(["umount", "--lazy", shared], check=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command(lab: Lab, number: signal.Signals) -> None:
    """Its jobs are cancelled and their ranks gone before it ends; what had finished is stored."""
    words = ("--catalog", str(lab.project.failures), "--reports", str(lab.project.reports), "--launcher", "torchrun")
    command = [sys.executable, "-m", "repro", "run", "tool-9", "--env", "small", "--on", "slurm", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: lab.began, "a rank that waits")
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted; no rank is left running" in error
    assert not lab.jobs()
    assert not [one for one in psutil.process_iter() if str(lab.project.failures) in " ".join(_words(one))]
    assert not list((lab.project.cache / "slurm").iterdir())


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
