"""What a run is started with."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from repro.files import BOOTSTRAP, SPAWNED
from repro.launch.gates import GATES
from repro.launch.job import applicable_gates, flags, free_port, prepare, rank_variables, torchrun_command
from repro.launch.warm import plan_of
from repro.model.cell import make_cell
from repro.model.errors import UsageError
from repro.model.failure import Lane
from tests.unit.factories import FAILURE, RECORD, cell, entry, installed, interpreter


def test_flags(tmp_path: Path) -> None:
    """Only changed factors become flags; the number of ranks is torchrun's."""
    held = entry(tmp_path)
    assert flags(cell(), held) == ()
    changed = cell(factors={"state-dict-type": "full", "world-size": "4"}, world_size=4)
    assert flags(changed, held) == ("--state-dict-type", "full")
    ranks = {"name": "world-size", "values": ["2", "4"], "meaning": "ranks"}
    named = entry(tmp_path / "named", factors=[ranks, *RECORD["factors"]])
    assert flags(changed, named) == ("--state-dict-type", "full")


def test_variable(tmp_path: Path) -> None:
    """A factor with a variable is no flag: it is set for the ranks, unless its value is "unset"."""
    factor = {"name": "debug", "variable": "TORCH_DISTRIBUTED_DEBUG", "values": ["unset", "DETAIL"], "meaning": "x"}
    held = entry(tmp_path / "failure", factors=[factor])
    changed = cell(factors={"debug": "DETAIL"})
    assert flags(changed, held) == ()
    for number, (wanted, value) in enumerate(((cell(), None), (changed, "DETAIL"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (command,) = prepare(wanted, held, interpreter(), folder).agents
        assert command.variables.get("TORCH_DISTRIBUTED_DEBUG") == value


def test_command() -> None:
    """torchrun of the environment under test, on this host only."""
    command = torchrun_command(Path("/env/bin/python"), 3)
    assert command[:3] == ("/env/bin/python", "-m", "torch.distributed.run")
    assert command[-2:] == ("--nproc-per-node", "3")
    assert "--standalone" in command


def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ranks see an allow-list: no PYTHONPATH, no tokens, no home; each lane its own devices."""
    for name in ("PYTHONPATH", "HF_TOKEN", "VIRTUAL_ENV", "NCCL_DEBUG", "CUDA_VISIBLE_DEVICES", "TZ", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "set")
    cpu = rank_variables(Lane.CPU, tmp_path, interpreter(adopted=False))
    assert not {"PYTHONPATH", "HF_TOKEN", "VIRTUAL_ENV", "NCCL_DEBUG", "PYTHONSTARTUP"} & set(cpu)
    assert cpu["CUDA_VISIBLE_DEVICES"] == ""
    assert cpu["HOME"] == cpu["TMPDIR"] == str(tmp_path)
    assert cpu["TZ"] == "set"
    assert cpu["JE_ARROW_MALLOC_CONF"] == "background_thread:false"
    assert cpu["PYTHONNOUSERSITE"] == "1"
    assert "PYTHONDONTWRITEBYTECODE" not in cpu
    cuda = rank_variables(Lane.CUDA, tmp_path, interpreter(adopted=True, user_base="/home/me/.local"))
    assert (cuda["NCCL_DEBUG"], cuda["CUDA_VISIBLE_DEVICES"]) == ("set", "set")
    assert "HF_TOKEN" not in cuda


def test_adopted(tmp_path: Path) -> None:
    """An adopted interpreter is not written to, and finds the user's distributions where it found them before."""
    held = rank_variables(Lane.CPU, tmp_path, interpreter(adopted=True, user_base="/home/me/.local"))
    assert held["PYTHONDONTWRITEBYTECODE"] == "1"
    assert held["PYTHONUSERBASE"] == "/home/me/.local"
    assert "PYTHONNOUSERSITE" not in held
    laid = rank_variables(Lane.CPU, tmp_path, interpreter(adopted=True, overlay=tmp_path / "site-packages"))
    assert laid["PYTHONPATH"] == str(tmp_path / "site-packages")
    without = rank_variables(Lane.CPU, tmp_path, interpreter(adopted=True))
    assert "PYTHONPATH" not in without
    assert without["PYTHONNOUSERSITE"] == "1"
    assert "PYTHONUSERBASE" not in without


def test_gates_by_release() -> None:
    """A gate is lifted only for the releases that it names, and never on a GPU."""
    held = interpreter(installed=installed({"torch": "2.2.2+cpu", "lightning": "2.2.1"}))
    names = applicable_gates(Lane.CPU, held)
    assert "lightning-fsdp-accelerator" in names
    assert not [name for name in names if name.startswith("accelerate")]
    assert applicable_gates(Lane.CUDA, held) == ()
    assert applicable_gates(Lane.CPU, interpreter(installed=installed({"numpy": "1.0"}))) == ()


def test_gates_are_explained() -> None:
    """Every gate has a name of its own, the refusal that it lifts, and the reason why that is safe."""
    assert len({gate.name for gate in GATES}) == len(GATES)
    assert all(gate.refusal and gate.reason and gate.releases for gate in GATES)


def test_job_file(tmp_path: Path) -> None:
    """The job's file names everything absolutely: the bootstrap runs elsewhere."""
    held = entry(tmp_path / "failures")
    folder = tmp_path / "run"
    folder.mkdir()
    job = prepare(cell(backport="cure"), held, interpreter(), folder)
    written = json.loads((folder / "job.json").read_text())
    assert written["script"] == str(held.script.resolve())
    assert written["backport"] == str((held.folder / "backport.py").resolve())
    assert written["folder"] == str(folder)
    (agent,) = job.agents
    assert str(folder / "job.json") in agent.argv
    # What follows "--" is the script's: newer torch refuses --monitor else, since it begins like two of its own flags.
    assert agent.argv[agent.argv.index("--") + 1] == str(BOOTSTRAP)
    prepare(cell(), held, interpreter(), folder)
    assert json.loads((folder / "job.json").read_text())["backport"] is None


class TestOtherLaunchers:
    """accelerate launch with its file beside the script, and plain Python."""

    ACCELERATE = {"name": "accelerate", "program": "accelerate", "config": "accelerate.yaml", "arguments": ["--debug"]}
    PYTHON = {"name": "python", "program": "python"}
    FACTOR = {"name": "launcher", "values": ["accelerate", "python"], "meaning": "who starts the ranks"}

    def words(self, root: Path, **changes: Any) -> tuple[str, ...]:
        held = entry(root / "failures", launchers=[self.ACCELERATE, self.PYTHON], factors=[self.FACTOR])
        folder = root / "run"
        folder.mkdir()
        (agent,) = prepare(cell(**changes), held, interpreter(), folder).agents
        return agent.argv

    def test_accelerate(self, tmp_path: Path) -> None:
        """The file says how many ranks there are; each run has a port of its own; the bootstrap is the script."""
        words = self.words(tmp_path)
        config = tmp_path / "failures" / FAILURE / "accelerate.yaml"
        assert words[1:5] == ("-m", "accelerate.commands.launch", "--config_file", str(config.resolve()))
        assert "--num_processes" not in words
        assert words[5] == "--main_process_port"
        assert words[7:] == ("--debug", str(BOOTSTRAP), str(tmp_path / "run" / "job.json"))

    def test_more_ranks(self, tmp_path: Path) -> None:
        words = self.words(tmp_path, world_size=4, factors={"world-size": "4"})
        assert words[words.index("--num_processes") + 1] == "4"

    def test_python(self, tmp_path: Path) -> None:
        """What observes spawned ranks lies in the run's folder, where they can import it; the launcher is no flag."""
        words = self.words(tmp_path, factors={"launcher": "python"})
        observer = tmp_path / "run" / "observer" / "_repro_spawned.py"
        assert words[1:] == (str(observer), str(tmp_path / "run" / "job.json"))
        assert observer.read_bytes() == SPAWNED.read_bytes()
        job = json.loads((tmp_path / "run" / "job.json").read_text())
        assert (job["bootstrap"], job["world_size"]) == (str(BOOTSTRAP), 2)

    def test_on_one_node(self, tmp_path: Path) -> None:
        held = entry(tmp_path, launchers=[self.ACCELERATE])
        with pytest.raises(UsageError, match="only torchrun divides its ranks among nodes"):
            make_cell(held.failure, "old", nodes=2)

    def test_never_warm(self, tmp_path: Path) -> None:
        """What the launcher does is part of the run."""
        held = entry(tmp_path, launchers=[self.ACCELERATE])
        assert plan_of(cell(), held, interpreter()) is None
        assert plan_of(cell(), entry(tmp_path / "plain"), interpreter()) is not None


class TestNodes:
    """One agent a node; they find one another at one port of this host."""

    def test_agents(self, tmp_path: Path) -> None:
        """All agents are the same command, with their share of the ranks."""
        held = entry(tmp_path / "failures")
        job = prepare(cell(world_size=6, nodes=3), held, interpreter(), tmp_path)
        assert len({agent.argv for agent in job.agents}) == 1
        assert len(job.agents) == 3
        words = list(job.agents[0].argv)
        given = {words[at]: words[at + 1] for at, word in enumerate(words) if word.startswith("--")}
        assert (given["--nnodes"], given["--nproc-per-node"]) == ("3", "2")
        assert (given["--rdzv-backend"], given["--local-addr"]) == ("c10d", "127.0.0.1")
        assert given["--rdzv-endpoint"].startswith("127.0.0.1:")
        assert "--standalone" not in words
        other = prepare(cell(world_size=6, nodes=3), held, interpreter(), tmp_path)
        assert given["--rdzv-id"] not in other.agents[0].argv

    def test_devices(self, tmp_path: Path) -> None:
        """Each node has its own devices: a rank takes the one of its place on its node."""
        wanted = cell(lane="cuda", world_size=4, nodes=2)
        job = prepare(wanted, entry(tmp_path / "failures"), interpreter(), tmp_path, devices=["1", "3", "4", "6"])
        assert [agent.variables["CUDA_VISIBLE_DEVICES"] for agent in job.agents] == ["1,3", "4,6"]
        assert {agent.variables["CUDA_DEVICE_ORDER"] for agent in job.agents} == {"PCI_BUS_ID"}

    def test_free_port(self) -> None:
        """A port that can be listened on."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", free_port()))
            listener.listen()
