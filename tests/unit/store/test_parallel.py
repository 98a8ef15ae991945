"""Several processes give what one gives, in the same order; none of them outlives the command."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from repro.model.errors import StoreError
from repro.store import parallel
from repro.store.parallel import compute_all

STARTS_WORKERS = """
import os, sys, time
from pathlib import Path
from repro.store import parallel

parallel.os.cpu_count = lambda: 2

def slow(number):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(0.2)
    return number

parallel.compute_all(slow, list(range(1000)), fewest=1)
"""


@pytest.fixture(autouse=True)
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def pid_and_square(number: int) -> tuple[int, int]:
    return os.getpid(), number * number


def test_every_result_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # Another test may have left a thread in this worker.
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    found = compute_all(pid_and_square, range(100), fewest=100)
    assert [square for _, square in found] == [number * number for number in range(100)]
    assert os.getpid() not in {pid for pid, _ in found}


def test_few_items_are_computed_here() -> None:
    assert {pid for pid, _ in compute_all(pid_and_square, range(99), fewest=100)} == {os.getpid()}


def test_a_process_with_threads_is_not_forked() -> None:
    """A lock that another thread holds would stay locked in the fork."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert {pid for pid, _ in compute_all(pid_and_square, range(100), fewest=1)} == {os.getpid()}
    finally:
        done.set()
        thread.join()


def test_an_error_is_raised_here() -> None:
    def fail(number: int) -> int:
        if number == 57:
            raise StoreError(f"{number} cannot be read")
        return number

    with pytest.raises(StoreError, match="57 cannot be read"):
        compute_all(fail, range(100), fewest=1)


def test_a_process_that_is_killed_loses_nothing() -> None:
    own = os.getpid()

    def die(number: int) -> int:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert compute_all(die, range(10), fewest=1) == list(range(10))


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(parallel, "ProcessPoolExecutor", refuse)
    assert [square for _, square in compute_all(pid_and_square, range(3), fewest=1)] == [0, 1, 4]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(tmp_path: Path, number: signal.Signals) -> None:
    """The processes wait for items, and would wait for ever: nobody closes their pipe, since all of them hold it."""
    command = subprocess.Popen([sys.executable, "-c", STARTS_WORKERS, str(tmp_path)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while len(started := [int(file.name) for file in tmp_path.iterdir()]) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    command.send_signal(number)
    command.wait(60)
    while (left := [pid for pid in started if is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(started) == 2
    assert not left


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def frozen(_number: int) -> int:
    return gc.get_freeze_count()


def test_the_collector_leaves_the_memory_of_the_parent_alone() -> None:
    """In the processes it does not see what they share with this one; here it sees all again afterwards."""
    assert min(compute_all(frozen, [1, 2, 3], fewest=1)) > 1000
    assert gc.get_freeze_count() == 0
