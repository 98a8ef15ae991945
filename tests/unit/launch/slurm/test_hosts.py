"""Agents on the nodes of an allocation: they meet at the first one, and ranks get their own variables alone."""

from pathlib import Path

import pytest

from repro.launch.job import agent_command
from repro.launch.processes import Command
from repro.launch.slurm.hosts import Host, address_in, placed
from repro.model.errors import EnvironmentFailure
from tests.unit.factories import cell

HOSTS = (Host("n1", "10.0.0.1"), Host("n2", "10.0.0.2"))
WORDS = agent_command(Path("/env/python"), cell(world_size=4, nodes=2), "127.0.0.1:29500", "run")
AGENT = Command((*WORDS, "--", "/boot.py", "--local-addr", "127.0.0.1"), {"HOME": "/run", "CUDA_VISIBLE_DEVICES": ""})
OURS = {"PATH": "/bin", "SLURM_JOB_ID": "7", "HOME": "/root", "SECRET": "x"}


def test_agents() -> None:
    """The flags of the script, after --, stay as they are."""
    one, other = placed([AGENT, AGENT], HOSTS, OURS)
    for command, host in ((one, HOSTS[0]), (other, HOSTS[1])):
        assert command.argv[0] == "srun"
        assert f"--nodelist={host.name}" in command.argv
        words = command.argv
        assert words[words.index("--rdzv-endpoint") + 1] == "10.0.0.1:29500"
        assert words[words.index("--local-addr") + 1] == host.address
        assert words[-4:] == ("--", "/boot.py", "--local-addr", "127.0.0.1")


def test_variables() -> None:
    """srun sees the job; the ranks see exactly the variables of their run."""
    command, _ = placed([AGENT, AGENT], HOSTS, OURS)
    assert command.variables == {"PATH": "/bin", "SLURM_JOB_ID": "7"}
    start = command.argv.index("env")
    assert command.argv[start : start + 4] == ("env", "-i", "HOME=/run", "CUDA_VISIBLE_DEVICES=")


def test_another_number_of_nodes() -> None:
    with pytest.raises(EnvironmentFailure, match="the allocation has 1 nodes, the run needs 2"):
        placed([AGENT, AGENT], HOSTS[:1], OURS)


def test_address() -> None:
    assert address_in("NodeName=n1 Gres=(null) NodeAddr=10.0.0.1 NodeHostName=vm Port=1\n") == "10.0.0.1"
    assert address_in("nothing") is None
