"""Where cells run: on this machine, or on the nodes of a cluster."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from repro.launch.slurm.batches import MOST_JOBS, SlurmOptions, parse_raw
from repro.model.errors import UsageError


class RunsOn(StrEnum):
    """Where cells run."""

    HERE = "here"
    SLURM = "slurm"


@dataclass(frozen=True)
class ClusterOptions:
    """The options of every command that can send its cells to a cluster."""

    on: Annotated[
        RunsOn, typer.Option("--on", help="here: on this machine; slurm: as jobs of the cluster that it submits to.")
    ] = RunsOn.HERE
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="With --on slurm: divide the cells among at most so many jobs.")
    ] = MOST_JOBS
    partition: Annotated[
        str | None, typer.Option("--partition", metavar="NAME", help="With --on slurm: the partition of the jobs.")
    ] = None
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="With --on slurm: the account that is charged.")
    ] = None
    gpus: Annotated[
        int | None,
        typer.Option(
            "--gpus", min=1, help="With --on slurm --lane cuda: GPUs of a job on each node [default: one a rank]."
        ),
    ] = None
    cpus: Annotated[
        int | None,
        typer.Option("--cpus", min=1, help="With --on slurm: cores of a job on each node [default: one a rank]."),
    ] = None
    raw: Annotated[
        list[str] | None,
        typer.Option("--slurm", metavar="NAME=VALUE", help="With --on slurm: another option of sbatch, e.g. time=60."),
    ] = None

    @property
    def words(self) -> list[str]:
        """The options of a command that goes on with this one's work."""
        if self.on is RunsOn.HERE:
            return []
        given = {"--partition": self.partition, "--account": self.account, "--gpus": self.gpus, "--cpus": self.cpus}
        words = ["--on", self.on]
        words += ["--jobs", str(self.jobs)] if self.jobs != MOST_JOBS else []
        words += [part for name, value in given.items() if value is not None for part in (name, str(value))]
        return words + [part for setting in self.raw or [] for part in ("--slurm", setting)]

    @property
    def slurm(self) -> SlurmOptions | None:
        """What is asked of Slurm; None on this machine.  Raises UsageError for options that need a cluster."""
        found = SlurmOptions(
            partition=self.partition,
            account=self.account,
            gpus=self.gpus,
            cpus=self.cpus,
            jobs=self.jobs,
            raw=parse_raw(self.raw or []),
        )
        if self.on is RunsOn.SLURM:
            return found
        given = {
            "--jobs": found.jobs != MOST_JOBS,
            "--partition": found.partition,
            "--account": found.account,
            "--gpus": found.gpus,
            "--cpus": found.cpus,
            "--slurm": found.raw,
        }
        for name, value in given.items():
            if value:
                raise UsageError(f"{name} goes with --on slurm")
        return None
