"""How the command line ends: lost output, closed streams, other locales, interrupts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "repro", "list"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk() -> None:
    """Output that cannot be written is one line and 3."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == "repro: the output could not be written: No space left on device\n"
    with Path("/dev/full").open("w") as full:
        assert subprocess.run(COMMAND, stdout=full, stderr=full, check=False).returncode == 3


def test_closed_pipe() -> None:
    """A reader that has gone is not news, but the output was not delivered."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(COMMAND, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_stream(closed: str) -> None:
    """A stream that was closed before we started is nobody's loss."""
    descriptor = {"stdout": 1, "stderr": 2}[closed]
    source = f"import os, sys; os.close({descriptor}); os.execv(sys.executable, {COMMAND!r})"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "variables", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}]
)
def test_other_locales(variables: dict[str, str]) -> None:
    """Text that the terminal has no form for is escaped."""
    source = "from repro.cli import run_command\nrun_command(lambda: print('\\u2192 \\xfc'))"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, check=False, env={**os.environ, **variables}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout in {"→ ü\n".encode(), b"\\u2192 \\xfc\n"}


SLOW = """
import sys, time
from repro.cli import run_command
def command():
    print("ready", flush=True)
    try:
        time.sleep(60)
    finally:
        time.sleep(0.5)
        print("cleaned up", flush=True)
        {then}
run_command(command)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 5])
def test_interrupts(number: signal.Signals, times: int) -> None:
    """The first interrupts, and what is being cleaned up is not disturbed by the next: 130 and one line."""
    with subprocess.Popen([sys.executable, "-c", SLOW.format(then="")], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.05)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (130, "cleaned up\n")
    assert errors == "repro: interrupted; no rank is left running, finished runs are stored\n"


DROPPED = """
import time
from repro.cli import run_command
class Slow:
    def __del__(self):
        print("ready", flush=True)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
def command():
    Slow()
    time.sleep(30)
run_command(command)
"""


def test_an_interrupt_that_python_drops_is_repeated() -> None:
    """Python drops what is raised in a destructor: the session went on, and a traceback was printed."""
    with subprocess.Popen([sys.executable, "-c", DROPPED], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "repro: interrupted; no rank is left running, finished runs are stored\n"


def test_impatience() -> None:
    """A clean-up that never ends can be ended."""
    source = SLOW.format(then="time.sleep(60)").replace("import sys, time", "import sys, time\nimport repro.cli\n")
    source = source.replace("run_command(command)", "repro.cli.IMPATIENT_SECONDS = 0.6\nrun_command(command)")
    with subprocess.Popen([sys.executable, "-c", source], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            time.sleep(0.7)
        assert process.wait(10) == 130


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.2])
def test_interrupted_while_importing(after: float) -> None:
    """Ctrl-C during the slow imports is 130 and one line, not a traceback."""
    source = (
        "import repro.cli, builtins, time\nreal = builtins.__import__\n"
        "def slow(name, *rest, **named):\n"
        "    if name == 'repro.cli.app':\n        print('importing', flush=True)\n        time.sleep(5)\n"
        "    return real(name, *rest, **named)\n"
        "builtins.__import__ = slow\nrepro.cli.main()"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
