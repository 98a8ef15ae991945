"""What Slurm is asked for: a real submitit, and an sbatch of ours that keeps the script."""

from pathlib import Path

import pytest

from repro.launch.slurm.batches import Allocation, SlurmOptions
from repro.launch.slurm.queue import QueueFullError, SlurmQueue
from repro.model.errors import UsageError


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Slurm's commands; sbatch copies the script and gives it the number 7."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    write(place, "srun", "")
    write(place, "sbatch", f"cp $1 {tmp_path}/script; echo Submitted batch job 7")
    write(place, "scancel", f'echo "$@" >> {tmp_path}/cancelled')
    return place


def write(place: Path, name: str, body: str) -> None:
    (place / name).write_text(f"#!/bin/sh\n{body}\n")
    (place / name).chmod(0o755)


def submit(tmp_path: Path, options: SlurmOptions, allocation: Allocation) -> list[str]:
    queue = SlurmQueue(tmp_path / "slurm", "repro-r1", options)
    assert queue.submit(tmp_path / "batch-1", allocation) == "7"
    return (tmp_path / "script").read_text().splitlines()


@pytest.mark.usefixtures("tools")
def test_script(tmp_path: Path) -> None:
    """What we asked for, and nothing of submitit's own that a site may refuse or that decides in our place."""
    options = SlurmOptions("batch", "lab", raw=(("time", "60"), ("exclusive", "")))
    lines = submit(tmp_path, options, Allocation(nodes=2, cpus=3, gpus=1))
    for line in (
        *("--partition=batch", "--account=lab", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=3"),
        *("--gpus-per-node=1", "--no-requeue", "--time=60", "--exclusive", "--job-name=repro-r1"),
    ):
        assert f"#SBATCH {line}" in lines
    assert "wckey" not in str(lines)
    assert not [line for line in lines if line.startswith("srun")]


@pytest.mark.usefixtures("tools")
def test_defaults(tmp_path: Path) -> None:
    """The partition's own time holds, and the CPU lane asks for no GPUs."""
    text = str(submit(tmp_path, SlurmOptions(), Allocation(nodes=1, cpus=2, gpus=0)))
    for word in ("--time", "gpus", "--partition", "--account"):
        assert word not in text


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ("QOSMaxSubmitJobPerUserLimit", QueueFullError, "QOSMaxSubmit"),
        ("invalid partition specified: x", UsageError, "Slurm refuses the job: invalid partition specified: x"),
    ],
)
def test_refused(tmp_path: Path, tools: Path, said: str, error: type[Exception], message: str) -> None:
    write(tools, "sbatch", f"echo 'sbatch: error: {said}' >&2; exit 1")
    with pytest.raises(error, match=message):
        submit(tmp_path, SlurmOptions(), Allocation(1, 1, 0))


def test_states(tmp_path: Path, tools: Path) -> None:
    """None where Slurm does not answer: then nothing is known, and no job is lost."""
    queue = SlurmQueue(tmp_path / "slurm", "repro-r1", SlurmOptions())
    write(tools, "squeue", "exit 1")
    assert queue.states() is None
    write(tools, "squeue", "echo '7|RUNNING|None|n1'")
    assert list(queue.states() or {}) == ["7"]


@pytest.mark.usefixtures("tools")
def test_cancel(tmp_path: Path) -> None:
    """All jobs of the command by its name, also one whose number was never seen."""
    queue = SlurmQueue(tmp_path / "slurm", "repro-r1", SlurmOptions())
    queue.cancel("7")
    queue.cancel()
    assert (tmp_path / "cancelled").read_text() == "--quiet 7\n--quiet --name=repro-r1\n"


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="there is no sbatch here"):
        SlurmQueue(tmp_path, "repro-r1", SlurmOptions())
