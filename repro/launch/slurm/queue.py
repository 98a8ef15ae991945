"""Submits, watches and cancels the Slurm jobs of one command, through submitit and Slurm's own commands."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import psutil

from repro.launch.slurm.batches import Allocation, SlurmOptions
from repro.launch.slurm.job_state import FORMAT, JobState, is_full, parse_states, refusal
from repro.launch.slurm.node import run_batch
from repro.model.errors import UsageError

ASK_SECONDS = 60
SIGNAL_SECONDS = 30
"""How long before its time limit a job is asked to end."""


class QueueFullError(Exception):
    """Slurm takes no further job now."""


class SlurmQueue:
    """The jobs of one command; they share a name."""

    def __init__(self, folder: Path, name: str, options: SlurmOptions) -> None:
        """``folder`` is shared by all nodes.  Raises UsageError where no job can be submitted."""
        self._name = name
        if shutil.which("sbatch") is None:
            raise UsageError("--on slurm: there is no sbatch here; jobs are submitted from a login node of the cluster")
        try:
            import submitit  # noqa: PLC0415 - an extra, and slow
        except ImportError:
            raise UsageError("--on slurm needs submitit: pip install 'repro-lab[slurm]'") from None
        self._failed = submitit.core.utils.FailedJobError
        self._executor = submitit.SlurmExecutor(folder=folder)
        self._options = options

    def submit(self, folder: Path, allocation: Allocation) -> str:
        """Submit the batch in a folder; returns the job's id.  Raises QueueFullError, UsageError if it is refused."""
        options = self._options
        further = {name: value or True for name, value in options.raw}
        self._executor.parameters.clear()
        self._executor.update_parameters(
            job_name=self._name,
            partition=options.partition,
            account=options.account,
            nodes=allocation.nodes,
            ntasks_per_node=1,
            cpus_per_task=allocation.cpus,
            gpus_per_node=allocation.gpus or None,
            # Without a time of ours, the partition's own holds.
            time=None,
            wckey=None,
            signal_delay_s=SIGNAL_SECONDS,
            use_srun=False,
            # What is sent again is decided here, not by Slurm.
            additional_parameters={"no-requeue": True, **further},
        )
        try:
            job = self._executor.submit(run_batch, str(folder))
        except self._failed as error:
            if is_full(str(error)):
                raise QueueFullError(refusal(str(error))) from None
            raise UsageError(f"Slurm refuses the job: {refusal(str(error))}") from None
        return str(job.job_id)

    def states(self) -> dict[str, JobState] | None:
        """The jobs of this command that Slurm knows, by id; None if it does not answer."""
        try:
            done = subprocess.run(
                ["squeue", "--noheader", "--states=all", f"--name={self._name}", f"--format={FORMAT}"],
                capture_output=True,
                text=True,
                timeout=ASK_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return parse_states(done.stdout)

    def cancel(self, *jobs: str) -> None:
        """Cancel some jobs, or all of this command."""
        words = jobs or (f"--name={self._name}",)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", "--quiet", *words], capture_output=True, timeout=ASK_SECONDS, check=False)

    @staticmethod
    def break_off() -> None:
        """End an sbatch that waits for a full queue; a job that it has made is known by its name."""
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if process.name() == "sbatch":
                        process.kill()
