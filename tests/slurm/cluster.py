"""A real Slurm of two nodes on this host: munged, slurmctld and two slurmd, in a folder of their own, always ended."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun")
NODES = ("n1", "n2")
CORES = 4
"""More than this host may have: the runs of these tests wait more than they compute."""
START_SECONDS = 30.0


def lacking() -> str | None:
    """Why no cluster can be started here, or None."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"needs Slurm: {', '.join(missing)} not found (apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "needs root: munged and slurmd run as users of their own"


def search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


def wait_for(holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.05)


class Cluster:
    """The daemons and the folder of a running cluster."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._settings = settings
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self.folder.chmod(0o755)
        munge = self.folder / "munge"
        run = self.folder / "run"
        for place in (munge, run, self.folder / "state"):
            place.mkdir()
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        munge.chmod(0o700)
        run.chmod(0o755)
        for place in (munge, run, key):
            shutil.chown(place, "munge", "munge")
        self.conf.write_text(self._configuration(run / "socket"), encoding="utf-8")
        self._start(
            "munged", "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={run / 'socket'}",
            f"--pid-file={munge / 'pid'}", f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}",
            "--num-threads=2", user="munge",
        )  # fmt: skip
        wait_for((run / "socket").exists, "munged")
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
        for node in NODES:
            self.start_node(node)
        wait_for(
            lambda: self.call("sinfo", "-h", "-t", "idle", "-o", "%D", check=False) == str(len(NODES)), "idle nodes"
        )

    def start_node(self, node: str) -> None:
        self._start(node, "slurmd", "-D", "-N", node, "-f", str(self.conf))

    def _start(self, name: str, *command: str, user: str | None = None) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, user=user, group=user,
                env=os.environ | {"PATH": search_path(), "SLURM_CONF": str(self.conf)}, start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        """End all daemons and what they started; nothing is left running."""
        for name in (*NODES, "slurmctld", "munged"):
            if name in self._processes:
                _end(self._processes[name])
        for node in NODES:
            for process in self.jobs_on(node):
                _kill(process)

    def kill_node(self, node: str) -> None:
        """A node without power: slurmd and everything below it are gone at once, and nobody is notified."""
        daemon = psutil.Process(self._processes[node].pid)
        jobs = self.jobs_on(node)
        # What watches a job would report its end.
        watching = [parent for process in jobs for parent in process.parents() if parent.name() == "slurmstepd"]
        for process in (daemon, *watching, *jobs):
            _kill(process)
        self._processes[node].wait()

    def jobs_on(self, node: str) -> list[psutil.Process]:
        """The processes of jobs on a node, by the variable that Slurm gives them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                variables = process.environ()
                if variables.get("SLURMD_NODENAME") == node and variables.get("SLURM_CONF") == str(self.conf):
                    found.append(process)
        return found

    def call(self, *command: str, check: bool = True) -> str:
        """The output of a command of Slurm."""
        done = subprocess.run(
            command, env=os.environ | {"SLURM_CONF": str(self.conf)}, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def _configuration(self, munge: Path) -> str:
        host = socket.gethostname()
        nodes = "".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={CORES} State=UNKNOWN\n"
            for node in NODES
        )
        return f"""\
ClusterName=repro
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={munge}
CredType=cred/munge
SlurmUser=root
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/%n.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/%n.log
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool-%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SlurmdTimeout=4
KillWait=5
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
{self._settings}
{nodes}PartitionName=main Nodes={",".join(NODES)} Default=YES MaxTime=INFINITE State=UP
"""


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(folder: Path, settings: str = "") -> Iterator[Cluster]:
    """A cluster for as long as the block lasts."""
    cluster = Cluster(folder, settings)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
