"""The warm launcher: one process per environment imports the libraries once and forks the ranks of each run.

Most of a run under torchrun is start-up: the launcher and every rank import torch and what stands on it.
Here a *zygote* in the environment under test does so once (``zygote.py``).  It serves the CPU lane only: CUDA
does not survive a fork.  A zygote that has threads after its imports is not used either.  In both cases, for
records that are about torchrun itself and for runs on several nodes, the run goes through torchrun, and the
observation says so.
"""

import ast
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from repro.catalog.catalog import Entry
from repro.environments.interpreter import Interpreter
from repro.files import GATES, ZYGOTE, kept
from repro.launch.folders import make_folder
from repro.launch.job import Job, applicable_gates, rank_variables
from repro.launch.processes import POLL_SECONDS, TERM_GRACE_SECONDS, Ended, ExcessWatch, dump_stacks, end_ranks
from repro.launch.run_cell import LauncherName, torchrun
from repro.model.cell import Cell
from repro.model.failure import Lane

START_SECONDS = 180.0
STOP_POLL_SECONDS = 0.2
MAX_ZYGOTES = 4
# What libraries import on first use; each rank would do so again.
LAZY = ("torch._dynamo",)
LAZY_DISTRIBUTED = ("torch.distributed.fsdp", "torch.distributed.checkpoint", "torch.distributed.tensor")
# Libraries that may shard without saying so in a script's imports.
SHARDING = frozenset({"lightning", "transformers", "accelerate"})


def imported_modules(script: Path) -> tuple[str, ...]:
    """The modules that a script imports at its top, in order; ``from a import b`` gives ``a``."""
    found: dict[str, None] = {}
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            found[node.module] = None
    return tuple(found)


def lazy_modules(imported: tuple[str, ...]) -> tuple[str, ...]:
    """What to import ahead for a script with these imports; nothing sharded where it is about torch alone.

    The gates of what was imported count as lifted, so a script that shards nothing must not be given FSDP.
    """
    may_shard = any(module.startswith("torch.distributed") for module in imported) or libraries(imported) & SHARDING
    return LAZY + LAZY_DISTRIBUTED if may_shard else LAZY


@dataclass
class _Host:
    """The process that stands for torchrun in one run."""

    pid: int
    ended: threading.Event = field(default_factory=threading.Event)
    code: int | None = None


class Zygote:
    """One process in the environment under test that has imported a script's libraries."""

    def __init__(self, script: Path, lane: Lane, interpreter: Interpreter, stop: threading.Event) -> None:
        self._folder = make_folder()
        ours, theirs = socket.socketpair()
        modules = imported_modules(script)
        plan = {
            "folder": str(self._folder),
            "gates": applicable_gates(lane, interpreter),
            "gates_file": str(GATES),
            "modules": modules,
            "lazy": lazy_modules(modules),
            "control": theirs.fileno(),
        }
        file = self._folder / "plan.json"
        file.write_text(json.dumps(plan), encoding="utf-8")
        with theirs, (self._folder / "zygote.log").open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    kept([interpreter.executable, ZYGOTE, file], TERM_GRACE_SECONDS),
                    env=rank_variables(lane, self._folder, interpreter),
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                shutil.rmtree(self._folder, ignore_errors=True)
                raise
        self._socket = ours
        self._lines = ours.makefile("r", encoding="utf-8")
        self._hosts: dict[int, _Host] = {}
        self._asking = threading.Lock()
        self._answer = threading.Condition()
        self._answers: list[_Host | None] = []
        self._began = self.ready = self._first_answer(stop)
        if self.ready:
            threading.Thread(target=self._listen, daemon=True).start()

    def _first_answer(self, stop: threading.Event) -> bool:
        """Whether the imports succeeded and left no threads behind; False at once when ``stop`` is set."""
        deadline = time.monotonic() + START_SECONDS
        while not select.select([self._socket], [], [], STOP_POLL_SECONDS)[0]:
            if stop.is_set() or time.monotonic() > deadline:
                return False
        try:
            answer: dict[str, Any] = json.loads(self._lines.readline() or "{}")
        except (OSError, ValueError):
            return False
        return answer.get("ready") is True and answer.get("threads") == 1

    @property
    def died(self) -> bool:
        """True if it had begun well and its process has ended since, for example by SIGKILL."""
        return self._began and self._process.poll() is not None

    def _listen(self) -> None:
        """Hand the zygote's answers to those who wait; its end is the end of all its hosts."""
        try:
            for line in self._lines:
                message = json.loads(line)
                with self._answer:
                    if "host" in message:
                        host = _Host(message["host"])
                        self._hosts[host.pid] = host
                        self._answers.append(host)
                        self._answer.notify_all()
                    elif "refused" in message:
                        self.ready = False
                        self._answers.append(None)
                        self._answer.notify_all()
                    elif host_ended := self._hosts.pop(message["ended"], None):
                        host_ended.code = message["code"]
                        host_ended.ended.set()
        except (OSError, ValueError):
            pass
        with self._answer:
            self.ready = False
            for host in self._hosts.values():
                host.ended.set()
            self._answer.notify_all()

    def start(self, job: Job) -> _Host | None:
        """Fork the host of a run; None if the zygote is gone, or refuses: then it is not asked again."""
        request = {
            "job": str(job.folder / "job.json"),
            "flags": job.flags,
            "world_size": job.cell.world_size,
            "modules": imported_modules(job.entry.script),
        }
        with self._asking, self._answer:
            try:
                self._socket.sendall((json.dumps(request) + "\n").encode())
            except OSError:
                return None
            if not self._answer.wait_for(lambda: self._answers or not self.ready, timeout=START_SECONDS):
                # Its late answer would be a second run of the same job: its end is the end of what it forks.
                self.ready = False
                self._process.kill()
            return self._answers.pop() if self._answers else None

    def close(self) -> None:
        """End the zygote and what is left of its runs."""
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(TERM_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class WarmLauncher:
    """Runs jobs through zygotes, one for each environment and set of libraries; used as a context.

    A zygote holds the memory of its imports, so the one that was idle longest is ended when there are too many.
    """

    def __init__(self, limit: int = MAX_ZYGOTES) -> None:
        self._limit = limit
        self._zygotes: dict[tuple[object, ...], Future[Zygote]] = {}
        self._busy: Counter[tuple[object, ...]] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all zygotes; nobody may be using the launcher any more."""
        with self._lock:
            for zygote in self._zygotes.values():
                zygote.result().close()
            self._zygotes.clear()

    def prepare(self, cell: Cell, entry: Entry, interpreter: Interpreter, stop: threading.Event) -> None:
        """Make a cell's imports, so that its ranks do not hold their cores while they are made."""
        key = _key(cell, entry, interpreter)
        if key is None:
            return
        # What keeps it from starting shows again in the run, which knows how to tell.
        with suppress(OSError), self._taken(key, partial(Zygote, entry.script, cell.lane, interpreter, stop)):
            pass

    def run(self, job: Job, stop: threading.Event) -> tuple[Ended, LauncherName]:
        """Run a job, warm if it can be; returns how it ended and which launcher ran it."""
        key = _key(job.cell, job.entry, job.interpreter)
        if key is None:
            return torchrun(job, stop)
        begin = partial(Zygote, job.entry.script, job.cell.lane, job.interpreter, stop)
        with self._taken(key, begin) as zygote:
            host = zygote.start(job) if zygote.ready else None
            if host is not None:
                return _watch(host, job, stop), "warm"
        return torchrun(job, stop)

    @contextmanager
    def _taken(self, key: tuple[object, ...], begin: Callable[[], Zygote]) -> Iterator[Zygote]:
        """The zygote for a key, begun if need be, and kept from being ended meanwhile.

        Others are not held up while one begins; who wants the same one waits for it.
        """
        with self._lock:
            self._busy[key] += 1
            future = self._zygotes.pop(key, None)
            if future is not None and future.done() and future.result().died:
                future.result().close()
                future = None
            missing = future is None
            if future is None:
                self._make_room()
                future = Future()
            self._zygotes[key] = future  # the last is the one used last
        try:
            if missing:
                self._begin(key, future, begin)
            yield future.result()
        finally:
            with self._lock:
                self._busy[key] -= 1

    def _begin(self, key: tuple[object, ...], future: Future[Zygote], begin: Callable[[], Zygote]) -> None:
        try:
            future.set_result(begin())
        except BaseException as error:
            with self._lock:
                del self._zygotes[key]
            future.set_exception(error)
            raise

    def _make_room(self) -> None:
        idle = [key for key in self._zygotes if not self._busy[key]]
        for key in idle[: max(0, len(self._zygotes) - self._limit + 1)]:
            self._zygotes.pop(key).result().close()


def libraries(imported: tuple[str, ...]) -> frozenset[str]:
    """The libraries of a script's imports: scripts with the same ones share a zygote."""
    return frozenset(module.split(".")[0] for module in imported) - sys.stdlib_module_names


def _key(cell: Cell, entry: Entry, interpreter: Interpreter) -> tuple[object, ...] | None:
    """What one zygote can serve; None where a run must go through torchrun."""
    if cell.lane is not Lane.CPU or entry.failure.needs.torchrun or not hasattr(os, "fork"):
        return None
    if cell.nodes > 1:
        return None  # only torchrun's agents find one another
    try:
        imported = imported_modules(entry.script)
    except (SyntaxError, ValueError):
        return None  # under torchrun the script's own interpreter tells what is wrong
    return (interpreter.executable, interpreter.overlay, libraries(imported), lazy_modules(imported))


def _watch(host: _Host, job: Job, stop: threading.Event) -> Ended:
    """Wait for a host as ``run_tree`` waits for torchrun."""
    started = time.monotonic()
    deadline_passed = interrupted = False
    excess, fault = ExcessWatch(job.folder), None
    while not host.ended.wait(POLL_SECONDS):
        if stop.is_set():
            interrupted = True
            break
        fault = excess.fault()
        if fault:
            break
        if time.monotonic() > started + job.timeout:
            deadline_passed = True
            dump_stacks(job.folder)
            break
    if not host.ended.is_set():
        _signal(host.pid, signal.SIGTERM)
        if not host.ended.wait(TERM_GRACE_SECONDS):
            _signal(host.pid, signal.SIGKILL)
    end_ranks(job.folder)
    return Ended(host.code, time.monotonic() - started, deadline_passed, interrupted, fault)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
