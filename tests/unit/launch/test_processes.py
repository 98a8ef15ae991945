"""Process trees: they end by themselves, at their deadline or when stopped, and nothing of them is left."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from repro.launch import processes, standstill
from repro.launch.guard import Ended, Limits
from repro.launch.processes import Command, end_ranks, run_tree
from repro.launch.standstill import dump_stacks
from tests.unit.launch.ranks import Bootstrap, gone, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at the death of a parent is Linux's")

# A launcher as torchrun is: every rank in a session of its own, all ended together.
LAUNCHER = """\
import os, signal, subprocess, sys
count = int(sys.argv[1])
ranks = []
def stop(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)
for rank in range(count):
    variables = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(count)}
    ranks.append(subprocess.Popen([sys.executable, *sys.argv[2:]], env=variables, start_new_session=True))
try:
    codes = [rank.wait() for rank in ranks]
except KeyboardInterrupt:
    for rank in ranks:
        os.killpg(rank.pid, signal.SIGTERM)
    codes = [1, *(rank.wait() for rank in ranks)]
sys.exit(1 if any(codes) else 0)
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "DUMP_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(standstill, "DUMP_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(processes, "TERM_GRACE_SECONDS", 0.7)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run's folder; at the end of the test no process may name it as its own."""
    made = (tmp_path / "run").resolve()
    made.mkdir()
    yield made
    assert not [process for process in psutil.process_iter(["pid"]) if _belongs(process, made)]


def _belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder or process.environ().get("TMPDIR") == str(folder)
    except (psutil.Error, OSError):
        return False


def run(
    folder: Path,
    source: str,
    *arguments: str,
    timeout: float = 20.0,
    stop: threading.Event | None = None,
    count: int = 1,
) -> Ended:
    """Run a Python source under ``run_tree``, with the variables that a job has, so many times side by side."""
    file = folder / "root.py"
    file.write_text(textwrap.dedent(source), encoding="utf-8")
    variables = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    command = Command((sys.executable, str(file), *arguments), variables)
    return run_tree([command] * count, folder, count, Limits(timeout, stop or threading.Event()))


def pids(folder: Path) -> list[int]:
    """The process ids that a source wrote into files ``*.pid``."""
    return [int(file.read_text()) for file in folder.glob("*.pid") if file.read_text()]


class TestEnds:
    """A tree that ends by itself."""

    @pytest.mark.parametrize("code", [0, 1, 17])
    def test_code(self, folder: Path, code: int) -> None:
        """The root's exit code."""
        ended = run(folder, f"raise SystemExit({code})")
        assert (ended.code, ended.deadline_passed, ended.interrupted) == (code, False, False)
        assert 0 < ended.seconds < 10

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
    def test_signal(self, folder: Path, number: signal.Signals) -> None:
        """Death by a signal is a negative code, never success."""
        assert run(folder, f"import os; os.kill(os.getpid(), {int(number)})").code == -number

    def test_output(self, folder: Path) -> None:
        """Both streams are in the launcher's log; standard input is empty; the folder is where it works."""
        run(folder, "import os, sys\nprint(os.getcwd(), repr(sys.stdin.read()))\nprint('err', file=sys.stderr)")
        assert (folder / "launcher.log").read_text() == f"{folder} ''\nerr\n"

    def test_variables(self, folder: Path) -> None:
        """No variable of ours but those that are given."""
        run(folder, "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))")
        assert (folder / "launcher.log").read_text() == "['PATH', 'PYTHONUNBUFFERED', 'TMPDIR']\n"

    def test_cannot_start(self, folder: Path) -> None:
        """A command that cannot be started is an OSError."""
        with pytest.raises(OSError, match="No such file"):
            run_tree([Command(("/nonexistent/python",), {})], folder, 1, Limits(1.0))


SIDE_BY_SIDE = """\
import os, sys, time
from pathlib import Path
try:
    Path("first").mkdir()
except FileExistsError:
    Path("second.pid").write_text(str(os.getpid()))
    {second}
else:
    while not Path("second.pid").exists() or not Path("second.pid").read_text(): time.sleep(0.01)
    {first}
"""


class TestSeveral:
    """Commands side by side are one run."""

    def test_all_are_waited_for(self, folder: Path) -> None:
        """One that ends well does not end the others; the output of all is kept."""
        ended = run(folder, SIDE_BY_SIDE.format(first="print('a')", second="time.sleep(0.5); print('b')"), count=2)
        assert ended.code == 0
        assert (folder / "launcher.log").read_text() == "a\nb\n"

    @pytest.mark.parametrize(
        ("first", "second"), [("sys.exit(3)", "time.sleep(60)"), ("time.sleep(60)", "sys.exit(3)")]
    )
    def test_one_fails(self, folder: Path, first: str, second: str) -> None:
        """The failure of one is the run's, and ends the others soon."""
        began = time.monotonic()
        ended = run(folder, SIDE_BY_SIDE.format(first=first, second=second), count=2)
        assert (ended.code, ended.deadline_passed, ended.interrupted) == (3, False, False)
        assert time.monotonic() - began < 10

    def test_deadline(self, folder: Path) -> None:
        """The deadline is that of all, also where some have ended; none is left, nor what it started."""
        sleeper = "import subprocess; subprocess.run(['sleep', '60'], start_new_session=True)"
        ended = run(folder, SIDE_BY_SIDE.format(first="pass", second=sleeper), count=2, timeout=1.0)
        assert ended.deadline_passed
        assert ended.code
        assert all(gone(pid) for pid in pids(folder))

    def test_second_cannot_start(self, folder: Path) -> None:
        """What was started is ended when another cannot be."""
        source = "import os, time; open('a.pid', 'w').write(str(os.getpid())); time.sleep(60)"
        variables = {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
        commands = [Command((sys.executable, "-c", source), variables), Command(("/nonexistent/python",), variables)]
        with pytest.raises(OSError, match="No such file"):
            run_tree(commands, folder, 2, Limits(20.0))
        assert all(gone(pid) for pid in pids(folder))


DETACHED = """\
import os, subprocess, sys
sleeper = [sys.executable, "-c", "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"]
"""


class TestNothingIsLeft:
    """Whatever the tree started is ended with it, in whatever session it is."""

    def test_daemon_of_a_root_that_ended(self, folder: Path) -> None:
        """A detached process outlives the root that started it, but not the run."""
        source = f"""{DETACHED}
subprocess.Popen([*sleeper, "a.pid"], start_new_session=True)
import time
while not os.path.exists("a.pid") or not open("a.pid").read(): time.sleep(0.01)
"""
        assert run(folder, source).code == 0
        (pid,) = pids(folder)
        assert gone(pid)

    def test_daemon_that_went_elsewhere(self, folder: Path) -> None:
        """Nor does one that works in another folder: its temporary folder tells whose it is."""
        source = f"""{DETACHED}
import time
file = os.path.abspath("a.pid")
subprocess.Popen([*sleeper, file], start_new_session=True, cwd="/")
while not os.path.exists(file) or not open(file).read(): time.sleep(0.01)
"""
        run(folder, source)
        (pid,) = pids(folder)
        assert gone(pid)

    def test_double_fork(self, folder: Path) -> None:
        """Nor one that gave itself to init."""
        source = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("a.pid", "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
os.wait()
while not os.path.exists("a.pid") or not open("a.pid").read(): time.sleep(0.01)
"""
        run(folder, source)
        (pid,) = pids(folder)
        assert gone(pid)

    def test_deadline(self, folder: Path) -> None:
        """At the deadline root, children, and grandchildren in sessions of their own are ended."""
        source = f"""{DETACHED}
import time
child = {DETACHED!r} + 'subprocess.Popen([*sleeper, "b.pid"], start_new_session=True).wait()'
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
open("root.pid", "w").write(str(os.getpid()))
time.sleep(60)
"""
        ended = run(folder, source, timeout=1.0)
        assert ended.deadline_passed
        assert ended.code == -signal.SIGTERM
        assert len(pids(folder)) == 2
        assert all(gone(pid) for pid in pids(folder))

    def test_root_that_will_not_end(self, folder: Path) -> None:
        """A root that ignores the request is killed after the grace."""
        source = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\ntime.sleep(60)"
        began = time.monotonic()
        ended = run(folder, source, timeout=0.5)
        assert (ended.code, ended.deadline_passed) == (-signal.SIGKILL, True)
        assert time.monotonic() - began < 8

    def test_others_are_left_alone(self, folder: Path, tmp_path: Path) -> None:
        """A process that only mentions the folder, or that a stale note names, is somebody else's."""
        with subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)", str(folder)], cwd=tmp_path
        ) as bystander:
            note = f'{{"event": "started", "time": {time.time() - 3600}, "pid": {bystander.pid}}}\n'
            (folder / "rank0.jsonl").write_text(note)
            assert run(folder, "pass").code == 0
            end_ranks(folder)
            dump_stacks(folder)
            assert bystander.poll() is None
            bystander.kill()

    @linux
    def test_harness_is_killed(self, folder: Path) -> None:
        """When the harness itself is killed, the root and its ranks end."""
        rank = Bootstrap(folder, "import time\ntime.sleep(60)\n")
        rank.prepare()
        (folder / "launcher.py").write_text(LAUNCHER)
        source = f"""
from pathlib import Path
from repro.launch.guard import Limits
from repro.launch.processes import Command, run_tree
variables = {{"PATH": "", "TMPDIR": {str(folder)!r}}}
command = ({sys.executable!r}, "launcher.py", "1", *{rank.command[1:]!r})
run_tree([Command(command, variables)], Path({str(folder)!r}), 1, Limits(60))
"""
        with subprocess.Popen([sys.executable, "-c", source]) as harness:
            rank.wait_until("reached")
            harness.kill()
            wait_for(lambda: gone(rank.pid))
        wait_for(lambda: not [p for p in psutil.process_iter() if _belongs(p, folder)])


class TestRanks:
    """Ranks under a launcher like torchrun."""

    def launch(
        self, rank: Bootstrap, count: int = 2, timeout: float = 20.0, stop: threading.Event | None = None
    ) -> Ended:
        rank.prepare()
        return run(rank.folder, LAUNCHER, str(count), *rank.command[1:], timeout=timeout, stop=stop)

    def test_hang(self, folder: Path) -> None:
        """At the deadline every rank dumps its stacks twice, then is ended, marked as asked to."""
        first = Bootstrap(folder, "import time\ndef stuck():\n    time.sleep(60)\nstuck()\n", job={"grace": 5.0})
        ended = self.launch(first, timeout=1.0)
        assert ended.deadline_passed
        for rank in (first, Bootstrap(folder, "", rank=1)):
            assert rank.event("ended")["stopped"] is True
            assert gone(rank.pid)
            for dump in (1, 2):
                assert "in stuck" in (folder / f"rank{rank.rank}.stacks{dump}").read_text()

    def test_hang_elsewhere(self, folder: Path) -> None:
        """A script that changed its folder is found all the same."""
        rank = Bootstrap(folder, "import os, time\nos.chdir('/')\ndef stuck():\n    time.sleep(60)\nstuck()\n")
        self.launch(rank, 1, timeout=1.0)
        assert "in stuck" in (folder / "rank0.stacks1").read_text()
        assert gone(rank.pid)

    def test_slow(self, folder: Path) -> None:
        """A rank that still works shows two different stacks."""
        lines = "\n".join(f"    time.sleep(0.05)  # {number}" for number in range(80))
        rank = Bootstrap(folder, f"import time\ndef busy():\n{lines}\nbusy()\n")
        assert self.launch(rank, 1, timeout=1.0).deadline_passed
        first, second = ((folder / f"rank0.stacks{dump}").read_text() for dump in (1, 2))
        assert "in busy" in first
        assert first != second

    def test_ends_before_the_deadline(self, folder: Path) -> None:
        """No deadline, no stacks."""
        rank = Bootstrap(folder, "print('oracle passed: yes')\n")
        ended = self.launch(rank, 1)
        assert (ended.code, ended.deadline_passed) == (0, False)
        assert (folder / "rank0.stacks1").read_text() == ""

    @pytest.mark.parametrize("when", ["before", "while"])
    def test_stop(self, folder: Path, when: str) -> None:
        """The event ends the tree quickly, and the run says that it was broken off."""
        rank = Bootstrap(folder, "import time\ntime.sleep(60)\n", job={"grace": 30.0})
        stop = threading.Event()
        if when == "before":
            stop.set()
        else:

            def stop_it() -> None:
                rank.wait_until("reached")
                stop.set()

            threading.Thread(target=stop_it).start()
        began = time.monotonic()
        ended = self.launch(rank, stop=stop)
        assert (ended.interrupted, ended.deadline_passed) == (True, False)
        assert time.monotonic() - began < 8
