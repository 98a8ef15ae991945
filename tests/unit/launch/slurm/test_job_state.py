"""States of jobs: what squeue and sbatch print, and what follows."""

import pytest

from repro.launch.slurm.job_state import JobPhase, JobState, is_full, parse_states, refusal, summary, why_lost


def test_parse() -> None:
    """Lines that are no job, such as a warning, are passed over."""
    text = "1|PENDING|Resources|\n2|RUNNING|None|n[1-2]\n\nslurm_load_jobs error: x\n3_4|RUNNING|None|n1\n"
    assert parse_states(text) == {"1": JobState("PENDING", "Resources"), "2": JobState("RUNNING", "", "n[1-2]")}


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("PENDING", JobPhase.WAITS),
        ("RUNNING", JobPhase.RUNS),
        ("COMPLETING", JobPhase.RUNS),
        ("SUSPENDED", JobPhase.RUNS),
        ("STATE_OF_A_LATER_SLURM", JobPhase.RUNS),
        ("NODE_FAIL", JobPhase.ENDED),
        ("CANCELLED", JobPhase.ENDED),
        ("COMPLETED", JobPhase.ENDED),
        ("TIMEOUT", JobPhase.ENDED),
    ],
)
def test_phase(name: str, phase: JobPhase) -> None:
    """What is not known to be an end is none: a job that goes on must not be sent again."""
    assert JobState(name).phase is phase


def test_why_lost() -> None:
    assert why_lost(JobState("NODE_FAIL", nodes="secret17")) == "its node failed"
    assert why_lost(JobState("FAILED")) == "its job failed without a result"
    assert why_lost(None) == "Slurm knows its job no longer"
    assert why_lost(JobState("RUNNING")) == "its job ended as RUNNING without a result"


@pytest.mark.parametrize(
    ("message", "full"),
    [
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed", True),
        ("sbatch: error: AssocMaxSubmitJobLimit", True),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", True),
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", False),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not available", False),
    ],
)
def test_full(message: str, full: bool) -> None:
    assert is_full(message) is full


def test_refusal() -> None:
    text = "sbatch: warning: x\nsbatch: error: invalid partition: y\nsbatch: error: Batch job submission failed: Z\n"
    assert refusal(text) == "Batch job submission failed: Z"
    assert refusal("sbatch: fatal: no configuration") == "no configuration"
    assert refusal("") == "sbatch gave no reason"
    assert len(refusal("error:" + "x" * 5000)) == 300


def test_summary() -> None:
    waits, runs = JobState("PENDING", "Priority"), JobState("RUNNING")
    assert summary({"1": runs, "2": runs, "3": waits, "4": waits}) == "2 jobs run, 2 wait (Priority)"
    assert summary({"1": runs}) == "1 job runs"
    assert summary({"1": waits}) == "1 job waits (Priority)"
    assert summary({"1": JobState("COMPLETED")}) == ""
