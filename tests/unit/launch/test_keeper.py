"""A keeper ends everything that its command started, whatever happens to it, to the command or to the harness."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from repro.files import kept
from tests.unit.launch.ranks import gone, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a child subreaper is Linux's")

# Leaves no trace by which it could be found: another session and folder, no variables, no open files.
DAEMON = """
import os, signal, sys, time
NOTE = sys.argv[1]
def daemon():
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(NOTE + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(NOTE + ".part", NOTE)
    os.chdir("/")
    os.closerange(0, 64)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execve("/bin/sleep", ["sleep", "600"], {})
daemon()
while not os.path.exists(NOTE):
    time.sleep(0.01)
"""


def command(tmp_path: Path, source: str, grace: float = 1.0, harness: int | None = None) -> list[str]:
    """A kept Python source, whose daemon writes its id to ``pid``."""
    file = tmp_path / "source.py"
    file.write_text(DAEMON + textwrap.dedent(source))
    words = list(kept([sys.executable, file, tmp_path / "pid"], grace))
    if harness is not None:
        words[4] = str(harness)
    return words


def daemon_of(tmp_path: Path) -> int:
    wait_for((tmp_path / "pid").exists)
    return int((tmp_path / "pid").read_text())


@pytest.mark.parametrize(("end", "code"), [("sys.exit(0)", 0), ("sys.exit(7)", 7), ("os.kill(os.getpid(), 11)", -11)])
def test_end_of_the_command(tmp_path: Path, end: str, code: int) -> None:
    """The keeper ends as its command did, and a daemon without any trace is gone by then."""
    assert subprocess.run(command(tmp_path, end), check=False, timeout=30).returncode == code
    assert gone(daemon_of(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("stubborn", [False, True])
def test_asked_to_end(tmp_path: Path, number: signal.Signals, stubborn: bool) -> None:
    """The command is asked, and killed after the grace; so is everything below it."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
    ready = tmp_path / "ready"
    source = f"{ignore}\nopen({str(ready)!r}, 'w').close()\ntime.sleep(600)"
    with subprocess.Popen(command(tmp_path, source)) as keeper:
        pid = daemon_of(tmp_path)
        wait_for(ready.exists)
        began = time.monotonic()
        keeper.send_signal(number)
        assert keeper.wait(10) == (-signal.SIGKILL if stubborn else -signal.SIGTERM)
        assert stubborn == (time.monotonic() - began > 0.9)
    assert gone(pid)


def test_death_of_the_harness(tmp_path: Path) -> None:
    """SIGKILL of the harness ends a command that ignores SIGTERM, and its daemon, within the grace."""
    words = command(
        tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    source = (
        f"import os, subprocess, sys, time\nwords = {words!r}\nwords[4] = str(os.getpid())\n"
        "subprocess.Popen(words, start_new_session=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as harness:
        pid = daemon_of(tmp_path)
        assert harness.stdout is not None
        root = int(harness.stdout.readline())
        harness.kill()
        wait_for(lambda: gone(pid) and gone(root), 10)


def test_harness_died_before_the_keeper_began(tmp_path: Path) -> None:
    """Nothing is started for a harness that has gone."""
    done = subprocess.run(command(tmp_path, "", harness=1 << 22), check=False, timeout=30)
    assert done.returncode == 1
    assert not (tmp_path / "pid").exists()


def test_death_of_the_keeper(tmp_path: Path) -> None:
    """The kernel ends the command of a keeper that was killed."""
    source = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    with subprocess.Popen(command(tmp_path, source), stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        root = int(keeper.stdout.readline())
        keeper.kill()
        wait_for(lambda: gone(root))
    os.kill(daemon_of(tmp_path), signal.SIGKILL)  # nobody is left who could know of it


def test_processes_that_run_away(tmp_path: Path) -> None:
    """A process that goes on in a new one every moment is caught all the same."""
    source = """
    for _ in range(5):
        if os.fork() == 0:
            for _ in range(300):
                if os.fork():
                    os._exit(0)
                time.sleep(0.02)
            os._exit(0)
    time.sleep(0.3)
    """
    assert subprocess.run(command(tmp_path, source), check=False, timeout=60).returncode == 0
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path / "source.py") not in running


def test_signals_and_files_are_the_commands_own(tmp_path: Path) -> None:
    """The command has default signals and what it was handed; nobody else keeps that open."""
    ours, theirs = os.pipe()
    source = (
        "import sys\nprint(signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL, signal.pthread_sigmask(0, ()))\n"
        f"sys.stdout.flush()\nos.write({theirs}, b'x')\nos.close({theirs})\ntime.sleep(0.5)"
    )
    words = command(tmp_path, source)
    with subprocess.Popen(words, pass_fds=[theirs], stdout=subprocess.PIPE, text=True) as keeper:
        os.close(theirs)
        assert os.read(ours, 1) == b"x"
        assert os.read(ours, 1) == b""  # closed, although the keeper still runs
        assert keeper.poll() is None
        assert keeper.communicate(timeout=20)[0] == "True set()\n"
    os.close(ours)


def test_command_that_cannot_be_started() -> None:
    """As a shell says it."""
    done = subprocess.run(kept(["/nonexistent/python"], 1.0), capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 127
    assert done.stderr == "/nonexistent/python: cannot be started: No such file or directory\n"
