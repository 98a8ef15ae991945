"""Ranks take turns, in this process and across processes."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from repro.launch import slots as module
from repro.launch.slots import Slots, any_taken, rank_limit
from repro.model.errors import EnvironmentFailure, UsageError
from tests.unit.launch.ranks import wait_for


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)


class TestLimit:
    """How many ranks may run at once."""

    def test_cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cores, or what REPRO_RANKS says."""
        monkeypatch.delenv("REPRO_RANKS", raising=False)
        assert rank_limit() >= 1
        monkeypatch.setenv("REPRO_RANKS", "7")
        assert rank_limit() == 7

    @pytest.mark.parametrize("value", ["0", "-1", "many", "", "1.5", "²"])
    def test_nonsense(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """Nonsense is a usage error."""
        monkeypatch.setenv("REPRO_RANKS", value)
        with pytest.raises(UsageError, match="REPRO_RANKS"):
            rank_limit()


class TestTaken:
    """Whether any run holds a slot, without taking one."""

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel must list its locks")
    def test_any(self, tmp_path: Path) -> None:
        """From its first slot on, until it has given them back."""
        assert not any_taken(tmp_path)
        with Slots.here(tmp_path).take(1, threading.Event()):
            assert any_taken(tmp_path)
            assert not any_taken(tmp_path / "elsewhere")
        assert not any_taken(tmp_path)


class TestTake:
    """Slots are taken all at once and given back whatever happens."""

    def test_too_many(self, tmp_path: Path) -> None:
        """More ranks than the machine can ever have: told at once, with the remedy."""
        with pytest.raises(EnvironmentFailure, match="REPRO_RANKS=4"), Slots(tmp_path, 2).take(4, threading.Event()):
            pass

    @pytest.mark.parametrize("ranks", [1, 2, 3])
    def test_never_above_the_limit(self, tmp_path: Path, ranks: int) -> None:
        """Many threads: the ranks that run at once never exceed the limit, and all get their turn."""
        slots, lock = Slots(tmp_path, 4), threading.Lock()
        running, highest, done = 0, 0, 0

        def run() -> None:
            nonlocal running, highest, done
            with slots.take(ranks, threading.Event()):
                with lock:
                    running += ranks
                    highest = max(highest, running)
                time.sleep(0.02)
                with lock:
                    running -= ranks
                    done += 1

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert done == 8
        assert ranks <= highest <= 4

    def test_two_slots_objects(self, tmp_path: Path) -> None:
        """Two sessions of one cache share its slots."""
        stop = threading.Event()
        entered = threading.Event()
        with Slots(tmp_path, 2).take(2, stop):
            other = threading.Thread(target=lambda: _enter(Slots(tmp_path, 2), entered))
            other.start()
            assert not entered.wait(0.2)
        assert entered.wait(5)
        other.join()

    def test_given_back_after_an_error(self, tmp_path: Path) -> None:
        """An error inside gives the slots back."""
        slots = Slots(tmp_path, 2)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError), slots.take(2, threading.Event()):
                raise ZeroDivisionError

    def test_stop(self, tmp_path: Path) -> None:
        """Who waits when the stop comes is let through at once, without slots."""
        slots, stop = Slots(tmp_path, 1), threading.Event()
        with slots.take(1, threading.Event()):
            threading.Timer(0.1, stop.set).start()
            began = time.monotonic()
            with slots.take(1, stop):
                assert stop.is_set()
            assert time.monotonic() - began < 5

    def test_two_ranks_get_their_turn_among_single_ones(self, tmp_path: Path) -> None:
        """Runs of one rank that come all the time do not keep a run of two from ever gathering its slots."""
        slots, ended = Slots(tmp_path, 2), threading.Event()

        def singles() -> None:
            while not ended.is_set():
                with slots.take(1, ended):
                    time.sleep(0.03)

        threads = [threading.Thread(target=singles) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        pair = threading.Thread(target=lambda: _enter(slots, threading.Event(), ranks=2))
        pair.start()
        pair.join(5)
        waited = pair.is_alive()
        ended.set()
        for thread in [*threads, pair]:
            thread.join(20)
        assert not waited

    def test_first_come_first_served(self, tmp_path: Path) -> None:
        """A session with many waiting cells does not overtake a run that came before them."""
        came: list[int] = []
        threads = []

        def run(number: int) -> None:
            with Slots(tmp_path, 1).take(1, threading.Event()):
                came.append(number)

        with Slots(tmp_path, 1).take(1, threading.Event()):
            for number in range(8):
                threads.append(threading.Thread(target=run, args=(number,), daemon=True))
                threads[-1].start()
                wait_for(lambda: len(list((tmp_path / "queue").iterdir())) == len(threads))
        for thread in threads:
            thread.join(20)
        assert came == list(range(8))
        assert list((tmp_path / "queue").iterdir()) == []

    def test_killed_while_waiting(self, tmp_path: Path) -> None:
        """Whoever waits first and is killed holds up nobody."""
        source = (
            "import sys, threading; from pathlib import Path; from repro.launch.slots import Slots\n"
            "with Slots(Path(sys.argv[1]), 1).take(1, threading.Event()):\n    pass\n"
        )
        with Slots(tmp_path, 1).take(1, threading.Event()):
            with subprocess.Popen([sys.executable, "-c", source, str(tmp_path)]) as process:
                wait_for(lambda: (tmp_path / "queue").is_dir() and any((tmp_path / "queue").iterdir()))
                entered = threading.Event()
                waiter = threading.Thread(target=lambda: _enter(Slots(tmp_path, 1), entered), daemon=True)
                waiter.start()
                wait_for(lambda: len(list((tmp_path / "queue").iterdir())) == 2)
                process.kill()
            assert not entered.is_set()
        assert entered.wait(5)
        waiter.join()

    def test_other_process(self, tmp_path: Path) -> None:
        """Another process's slots are taken; when it is killed they are free again."""
        source = (
            "import sys, threading, time; from pathlib import Path; from repro.launch.slots import Slots\n"
            "with Slots(Path(sys.argv[1]), 2).take(2, threading.Event()):\n"
            "    print('held', flush=True)\n    time.sleep(60)\n"
        )
        entered = threading.Event()
        with subprocess.Popen([sys.executable, "-c", source, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            waiter = threading.Thread(target=lambda: _enter(Slots(tmp_path, 2), entered))
            waiter.start()
            assert not entered.wait(0.2)
            process.kill()
            wait_for(entered.is_set)
            waiter.join()


def _enter(slots: Slots, entered: threading.Event, ranks: int = 1) -> None:
    with slots.take(ranks, threading.Event()):
        entered.set()


@pytest.mark.parametrize("other", ["node2", "..", "../node1", ""])
def test_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """Hosts that share a cache do not wait for one another; no name of a host leads out of the folder."""
    monkeypatch.setenv("REPRO_RANKS", "1")
    monkeypatch.setattr("platform.node", lambda: "node1")
    first = Slots.here(tmp_path)
    monkeypatch.setattr("platform.node", lambda: other)
    second = Slots.here(tmp_path)
    stop = threading.Event()
    late = threading.Timer(10, stop.set)
    late.start()
    with first.take(1, stop), second.take(1, stop):
        assert not stop.is_set()
    late.cancel()
    assert {file.parent for file in tmp_path.rglob("*.lock")} == {first.folder, second.folder}
    assert {first.folder.parent, second.folder.parent} == {tmp_path / "slots"}


def test_slurm_jobs_on_one_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has cores of its own: two jobs of one node do not wait for one another; no name leads out of the folder."""
    found = []
    for job in ("", "7", "8", "../9"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        found.append(Slots.here(tmp_path).folder)
    assert len(set(found)) == len(found)
    assert {folder.parent for folder in found} == {tmp_path / "slots"}
