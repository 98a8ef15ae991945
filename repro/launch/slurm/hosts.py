"""Starts the torchrun agents of a cell on the nodes of a Slurm allocation, one on each."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from repro.launch.guard import Ended, Limits
from repro.launch.job import LOOPBACK, Job
from repro.launch.processes import Command
from repro.launch.run_cell import Launch, LauncherName, torchrun
from repro.model.errors import EnvironmentFailure

ASK_SECONDS = 30


@dataclass(frozen=True)
class Host:
    """A node of the allocation."""

    name: str
    address: str
    """Where Slurm itself reaches it."""


def allocated_hosts(variables: Mapping[str, str]) -> tuple[Host, ...]:
    """The nodes of this job, the first one first; raises EnvironmentFailure."""
    names = _ask("show", "hostnames", variables.get("SLURM_JOB_NODELIST", "")).split()
    return tuple(Host(name, address_in(_ask("show", "node", "-o", name)) or name) for name in names)


def address_in(text: str) -> str | None:
    """The address of a node in what ``scontrol show node -o`` prints.  Pure."""
    return next((word.removeprefix("NodeAddr=") for word in text.split() if word.startswith("NodeAddr=")), None)


def _ask(*words: str) -> str:
    try:
        done = subprocess.run(["scontrol", *words], capture_output=True, text=True, timeout=ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFailure(f"the nodes of the allocation are not known: {error}") from None
    return done.stdout


def across(hosts: Sequence[Host]) -> Launch:
    """A launcher that starts each agent of a job on a node of its own."""

    def launch(job: Job, limits: Limits) -> tuple[Ended, LauncherName]:
        return torchrun(replace(job, agents=placed(job.agents, hosts, os.environ)), limits)

    return launch


def placed(agents: Sequence[Command], hosts: Sequence[Host], variables: Mapping[str, str]) -> tuple[Command, ...]:
    """The commands that start the agents through srun; they meet at the first node's address.  Pure.

    srun needs the variables of the job; the ranks get exactly those of their run.
    """
    if len(agents) != len(hosts):
        raise EnvironmentFailure(f"the allocation has {len(hosts)} nodes, the run needs {len(agents)}")
    slurm = {name: value for name, value in variables.items() if name == "PATH" or name.startswith("SLURM_")}
    return tuple(
        Command(
            (
                "srun", "--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={host.name}", "--export=ALL", "--quiet",
                "env", "-i", *(f"{name}={value}" for name, value in agent.variables.items()),
                *_meeting_at(agent.argv, own=host.address, first=hosts[0].address),
            ),
            slurm,
        )
        for agent, host in zip(agents, hosts, strict=True)
    )  # fmt: skip


def _meeting_at(argv: Sequence[str], own: str, first: str) -> list[str]:
    """A torchrun command with addresses of nodes in the place of this host's loopback."""
    words = list(argv)
    end = words.index("--") if "--" in words else len(words)
    for index in range(1, end):
        if words[index - 1] == "--rdzv-endpoint":
            words[index] = words[index].replace(LOOPBACK, first, 1)
        elif words[index - 1] == "--local-addr":
            words[index] = own
    return words
