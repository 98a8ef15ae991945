"""The warm launcher: processes that have made a script's first imports ahead fork the ranks of its runs.

Most of a run under torchrun is start-up: the launcher and every rank import torch and what stands on it.  Here each
rank has a process of its own in the environment under test (``zygote.py``), started as torchrun starts a rank: with
its variables and a hash seed of its own.  It forks further processes, each of which makes a few more imports, so that
scripts which begin with the same imports share them.  A run is forked from the process that has made exactly the
imports that its script (or its backport) is certain to make first, in the same order; the run does the rest itself.

Imports that fail, start threads, seed a global random generator or initialise CUDA, which does not survive a fork, are
not made ahead.  In these cases, for records that are about torchrun itself and for runs on several nodes, the run goes
through torchrun, and the observation says so.  In the CUDA lane the processes see the devices of the run, and each rank
initialises CUDA itself.  There, where a run should hold its devices for as short as can be, late imports are made ahead
too, out of sight of the run until it makes one of them itself; not if a backport, or the script, could see that.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from repro.catalog.catalog import Entry
from repro.environments.interpreter import Interpreter
from repro.files import GATES, RECORD, ZYGOTE, kept
from repro.launch.first_imports import Import, first_imports, late_imports
from repro.launch.folders import make_folder
from repro.launch.guard import Ended, Guard, Limits
from repro.launch.job import Job, applicable_gates, free_port, rank_variables
from repro.launch.processes import POLL_SECONDS, TERM_GRACE_SECONDS, end_ranks
from repro.launch.run_cell import LauncherName, torchrun
from repro.launch.standstill import dump_stacks
from repro.launch.zygote import LATE, NVML_CHECK
from repro.model.cell import Cell, variables_of
from repro.model.errors import RecordError
from repro.model.failure import Lane

START_SECONDS = 180.0
STOP_POLL_SECONDS = 0.2
MAX_FAMILIES = 4
MAX_BRANCHES = 60
"""A family keeps at most so many branches: beyond them, those that were not used for longest are ended."""
TORCHRUN_GRACE_SECONDS = 30.0
"""How long torchrun waits for a rank that it has asked to end."""


class WarmError(Exception):
    """A warm process cannot serve: the run goes through torchrun."""


def torchrun_variables(rank: int, world_size: int, port: int) -> dict[str, str]:
    """The variables that torchrun sets for a rank on one node; each run has a port of its own, set later."""
    size, number = str(world_size), str(rank)
    return {
        "RANK": number,
        "LOCAL_RANK": number,
        "GROUP_RANK": "0",
        "ROLE_RANK": number,
        "ROLE_NAME": "default",
        "LOCAL_WORLD_SIZE": size,
        "WORLD_SIZE": size,
        "GROUP_WORLD_SIZE": "1",
        "ROLE_WORLD_SIZE": size,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_RUN_ID": "warm",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    }


class Connection:
    """The harness's end of the socket that one warm process serves."""

    def __init__(self, ours: socket.socket) -> None:
        self.socket = ours
        self._received = b""

    def ask(
        self, request: dict[str, Any], stop: threading.Event, theirs: socket.socket | None = None
    ) -> dict[str, Any]:
        """Send a request and wait for the answer; raises WarmError."""
        self.send(request, theirs)
        return self.answer(stop)

    def send(self, request: dict[str, Any], theirs: socket.socket | None = None) -> None:
        """Send a request, and a socket beside it; raises WarmError."""
        content = (json.dumps(request) + "\n").encode()
        try:
            if theirs is None:
                self.socket.sendall(content)
            else:
                socket.send_fds(self.socket, [content], [theirs.fileno()])
        except OSError as error:
            raise WarmError(str(error)) from None

    def answer(self, stop: threading.Event) -> dict[str, Any]:
        """The next message; raises WarmError at the end of the socket, after a long wait, and when asked to stop."""
        deadline = time.monotonic() + START_SECONDS
        while (message := self.next_message()) is None:
            if stop.is_set() or time.monotonic() > deadline:
                raise WarmError("no answer")
            select.select([self.socket], [], [], STOP_POLL_SECONDS)
        return message

    def expect_ready(self, stop: threading.Event) -> None:
        """Wait until the process has made its imports; raises WarmError if it refuses to serve."""
        answer = self.answer(stop)
        if answer.get("ready") is not True:
            raise WarmError(str(answer.get("reason")))

    def next_message(self) -> dict[str, Any] | None:
        """A message if one has come whole; raises WarmError at the end of the socket."""
        while b"\n" not in self._received:
            if not select.select([self.socket], [], [], 0)[0]:
                return None
            try:
                part = self.socket.recv(1 << 16)
            except OSError as error:
                raise WarmError(str(error)) from None
            if not part:
                raise WarmError("the process has ended")
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            raise WarmError("the answer cannot be read") from None
        return message


class Roots(Protocol):
    """The first process of each rank of a family."""

    @property
    def are_alive(self) -> bool:
        """False once one of them has ended."""

    def end(self) -> None:
        """End them and everything below them, and wait for that."""


@dataclass
class StartedRoots:
    """The roots that this process has started, each under its keeper."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def are_alive(self) -> bool:
        return all(process.poll() is None for process in self.processes)

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(TERM_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Family:
    """The warm processes of one world size in one environment: for each rank a root, and its branches by imports.

    Used by one run at a time.
    """

    def __init__(
        self,
        key: tuple[object, ...],
        folder: Path,
        roots: Roots,
        branches: dict[tuple[Import, ...], list[Connection]],
        stop: threading.Event,
        *,
        first_alone: bool = False,
    ) -> None:
        """``folder`` is as ``start_family`` made it; ``first_alone``: one rank makes its imports first."""
        self.key = key
        self.folder = folder
        self.roots = roots
        self.branches = branches
        self.served: set[object] = set()
        """Runs that it has served: a repetition must not have the hash seed of the first run, so it goes elsewhere."""
        self._home, self._nobody = _home_of(folder)
        self._stop = stop
        self._first_alone = first_alone
        self._refused: dict[tuple[Import, ...], str] = {}
        """Imports that cannot be made ahead, and why."""

    @property
    def is_alive(self) -> bool:
        return not self._stop.is_set() and self.roots.are_alive

    def branch(self, imports: tuple[Import, ...], stop: threading.Event) -> list[Connection]:
        """The processes, one a rank, that have made these imports; they are forked if need be.  Raises WarmError."""
        if imports in self._refused:
            raise WarmError(self._refused[imports])
        known = max((made for made in self.branches if imports[: len(made)] == made), key=len)
        # A process for each module on the way: other scripts may go on from there.
        ends = [index + 1 for index, (_, name) in enumerate(imports) if name is None and index >= len(known)]
        for end in dict.fromkeys([*ends, len(imports)]):
            if end > len(known):
                try:
                    grown = self._grow(self.branches[known], imports[len(known) : end], stop)
                except WarmError as error:
                    self._refused[imports] = str(error)
                    raise
                known = imports[:end]
                self.branches[known] = grown
        self._end_unused(imports)
        return self.branches[imports]

    def ready(self, plan: "Plan", stop: threading.Event) -> list[Connection]:
        """The processes that the ranks of a run are forked from, with late imports if possible.  Raises WarmError."""
        made = self.branch(plan.imports, stop)
        if plan.late:
            with suppress(WarmError):
                return self.branch(plan.with_late, stop)
        return made

    def _end_unused(self, imports: tuple[Import, ...]) -> None:
        """End the branches beyond the limit that were not used for longest; these imports are in use now."""
        # What a branch grew from counts as used later than the branch, so the first is never on the way to another.
        for end in range(len(imports), -1, -1):
            if imports[:end] in self.branches:
                self.branches[imports[:end]] = self.branches.pop(imports[:end])
        while len(self.branches) > MAX_BRANCHES and (oldest := next(iter(self.branches))) != imports:
            for connection in self.branches.pop(oldest):
                connection.socket.close()

    def _grow(
        self, parents: Sequence[Connection], steps: tuple[Import, ...], stop: threading.Event
    ) -> list[Connection]:
        made: list[Connection] = []
        groups = (parents[:1], parents[1:]) if self._first_alone else (parents,)
        try:
            for group in groups:
                begun = len(made)
                for parent in group:
                    ours, theirs = socket.socketpair()
                    made.append(Connection(ours))
                    with theirs:
                        parent.send({"steps": steps}, theirs)
                for connection in made[begun:]:
                    connection.expect_ready(stop)
        except WarmError:
            for connection in made:
                connection.socket.close()
            raise
        return made

    def run(self, job: Job, plan: "Plan", limits: Limits) -> Ended:
        """Fork the ranks of a run and wait for them as torchrun does; raises WarmError only if no rank was started."""
        connections = self.ready(plan, limits.stop)
        self._move_home(job.folder)
        try:
            return self._forked(connections, job, limits)
        finally:
            self._move_home(self._nobody)

    def _forked(self, connections: Sequence[Connection], job: Job, limits: Limits) -> Ended:
        store = connections[0].ask({"store": True}, limits.stop)
        if not store["port"]:
            raise WarmError("no store at which ranks could meet")
        request = {"job": str(job.folder / "job.json"), "flags": job.flags, "variables": {"MASTER_PORT": store["port"]}}
        running: dict[Connection, int] = {}
        try:
            for connection in connections:
                running[connection] = connection.ask(request, threading.Event())["rank"]
        except WarmError:
            for pid in running.values():
                _signal(pid, signal.SIGKILL)
            raise
        try:
            return _watch(running, job, limits)
        finally:
            with suppress(ProcessLookupError):
                os.kill(store["store"], signal.SIGKILL)

    def _move_home(self, folder: Path) -> None:
        self._home.unlink()
        self._home.symlink_to(folder)

    def close(self) -> None:
        """End all processes of the family and what is left of their runs."""
        for connections in self.branches.values():
            for connection in connections:
                connection.socket.close()
        self.roots.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_family(start: "Start", stop: threading.Event, *, first_alone: bool = False) -> Family:
    """Start the roots of a family and wait until they serve; raises WarmError or OSError."""
    # What libraries take for the home folder: that of whatever run there is now, an empty one between two runs.
    folder = make_folder()
    roots = StartedRoots()
    connections: list[Connection] = []
    family = Family(start.key, folder, roots, {(): connections}, stop, first_alone=first_alone)
    try:
        home, nobody = _home_of(folder)
        nobody.mkdir()
        home.symlink_to(nobody)
        port = free_port()
        for rank in range(start.world_size):
            process, connection = _start_root(start, folder, rank, port)
            roots.processes.append(process)
            connections.append(connection)
        for connection in connections:
            connection.expect_ready(stop)
    except BaseException:
        family.close()
        raise
    return family


def _home_of(folder: Path) -> tuple[Path, Path]:
    """The home folder of a family's processes, which is a link, and the empty folder that it leads to between runs."""
    return folder / "home", folder / "nobody"


def _start_root(start: "Start", folder: Path, rank: int, port: int) -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = socket.socketpair()
    plan = {
        "folder": str(start.modules or folder),
        "gates": start.gates,
        "gates_file": str(GATES),
        "control": theirs.fileno(),
    }
    file = folder / f"plan{rank}.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    home, _ = _home_of(folder)
    own = {"HOME": str(home), "TMPDIR": str(home), **torchrun_variables(rank, start.world_size, port)}
    if start.lane is Lane.CUDA:
        own[NVML_CHECK] = "1"
    with theirs, (folder / f"zygote{rank}.log").open("wb") as log:
        process = subprocess.Popen(
            kept([start.interpreter.executable, ZYGOTE, file], TERM_GRACE_SECONDS),
            env=rank_variables(start.lane, folder, start.interpreter, start.devices) | own | dict(start.variables),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return process, Connection(ours)


def _changed_at(interpreter: Interpreter) -> float:
    """When the folder of an environment was made or changed, in seconds since the epoch; 0 if that is not known."""
    try:
        return Path(interpreter.prefix).stat().st_mtime
    except OSError:
        return 0.0


@dataclass(frozen=True)
class Start:
    """How the roots of a family are started."""

    lane: Lane
    interpreter: Interpreter
    world_size: int
    gates: tuple[str, ...]
    modules: Path | None
    """The script's folder, if it holds modules that a library could import; else None."""
    devices: tuple[str, ...] = ()
    """The CUDA devices that ranks and imports see; none in the CPU lane."""
    variables: tuple[tuple[str, str], ...] = ()
    """The environment variables of the cell's factors."""

    @property
    def key(self) -> tuple[object, ...]:
        interpreter = self.interpreter
        return (
            *(interpreter.executable, interpreter.overlay),
            *(self.lane, self.devices, self.world_size, self.gates, self.modules, self.variables),
        )


class SpareFamilies(Protocol):
    """Families that were made before the command began, and have served no run."""

    def take(self, start: Start, stop: threading.Event) -> Family | None:
        """A spare that no run can tell from a family started now; None if there is none."""

    def used(self, start: Start, imports: tuple[Import, ...]) -> None:
        """A run of this command was forked from a family with these imports: a later command may want the same."""


@dataclass(frozen=True)
class Plan:
    """What a warm run of a cell needs."""

    start: Start
    imports: tuple[Import, ...]
    late: tuple[str, ...]
    """Modules to import out of sight."""
    run: object
    """What a second run of the same kind has in common with the first."""

    @property
    def with_late(self) -> tuple[Import, ...]:
        """The imports, and those out of sight after them."""
        return (*self.imports, *((module, LATE) for module in self.late))


@dataclass(frozen=True)
class WarmNeeds:
    """What decides which warm processes serve a cell in an environment; known before the environment is built."""

    world_size: int
    modules: Path | None
    variables: tuple[tuple[str, str], ...]
    imports: tuple[Import, ...]
    late: tuple[str, ...]
    """Modules to import out of sight."""

    @property
    def order(self) -> tuple[object, ...]:
        """Cells that are sorted by this run one after another where they share warm processes."""
        imports = tuple((module, name or "") for module, name in self.imports)
        return self.world_size, str(self.modules or ""), self.variables, imports


def needs_of(cell: Cell, entry: Entry, *, late: bool = False) -> WarmNeeds | None:
    """What a cell needs to run warm, with late imports if asked for; None where it must go through torchrun."""
    if entry.failure.always_cold or not hasattr(os, "fork"):
        return None
    if cell.nodes > 1:
        return None  # only torchrun's agents find one another
    if entry.failure.launcher(cell.factors).program != "torchrun":
        return None  # the launcher itself is part of what runs
    try:
        backport = entry.backport_file(cell.backport) if cell.backport else None
        imports = first_imports(entry.script, backport)
        made_late = late_imports(imports, entry.script) if late and not backport else ()
        folder = entry.script.resolve().parent
        ours = {entry.script.name, RECORD, *(item.file for item in entry.failure.backports)}
        beside = any(file.name not in ours and not _is_no_module(file) for file in folder.iterdir())
    except (SyntaxError, ValueError, OSError, RecursionError, RecordError):
        return None  # under torchrun the script's own interpreter says what is wrong
    variables = tuple(variables_of(entry.failure, cell).items())
    return WarmNeeds(cell.world_size, folder if beside else None, variables, imports, made_late)


def sort_key(cell: Cell, entry: Entry) -> tuple[object, ...]:
    """Sorts the cells of one environment: those that share warm processes one after another, torchrun's last."""
    needs = needs_of(cell, entry)
    return (True,) if needs is None else (False, *needs.order)


def plan_of(
    cell: Cell, entry: Entry, interpreter: Interpreter, devices: tuple[str, ...] = (), *, late: bool = False
) -> Plan | None:
    """How a cell runs warm on these devices; None where it must go through torchrun.

    ``late``: with late imports in the CPU lane too.
    """
    needs = needs_of(cell, entry, late=late or cell.lane is Lane.CUDA)
    if needs is None:
        return None
    gates = applicable_gates(cell.lane, interpreter)
    start = Start(cell.lane, interpreter, needs.world_size, gates, needs.modules, devices, needs.variables)
    return Plan(start, needs.imports, needs.late, (entry.script, cell.model_dump_json()))


def _is_no_module(file: Path) -> bool:
    """Whether a file beside a script can be imported by no name."""
    return file.name.startswith((".", "__pycache__")) or (file.is_file() and file.suffix not in {".py", ".so", ".pyc"})


@dataclass
class WarmLauncher:
    """Runs jobs through families of warm processes; used as a context.

    A family holds the memory of its imports, so the one that was idle longest is ended when there are too many.
    """

    limit: int = MAX_FAMILIES
    late: bool = False
    """Make late imports ahead in the CPU lane too: it pays where many runs share their first imports, so also with
    ``spares``."""
    report: Callable[[str], None] = lambda _: None
    """Takes a line for people on each run that could not be warm, and why."""
    spares: SpareFamilies | None = None
    """Where to look for a family before one is started; None to start each."""
    _idle: list[Family] = field(default_factory=list)
    _busy: list[tuple[object, ...]] = field(default_factory=list)
    """The keys of families that are in use or being started."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all families; nobody may be using the launcher any more."""
        with self._lock:
            for family in self._idle:
                family.close()
            self._idle.clear()

    def prepare(
        self,
        cell: Cell,
        entry: Entry,
        interpreter: Interpreter,
        stop: threading.Event,
        devices: tuple[str, ...] = (),
    ) -> None:
        """Make a cell's imports ahead, so that its run holds no cores and no devices meanwhile.

        ``devices`` are those that the run will probably be given; a run on others makes its imports itself.
        Does nothing while another run uses the processes: it would need a second set of them.
        """
        plan = plan_of(cell, entry, interpreter, devices, late=self._makes_late)
        if plan is None or self._is_busy(plan.start.key):
            return
        # What keeps it from starting shows again in the run, which reports it.
        with suppress(OSError, WarmError):
            family = self._take(plan, stop)
            try:
                family.ready(plan, stop)
            finally:
                self._give_back(family)

    def run(self, job: Job, limits: Limits) -> tuple[Ended, LauncherName]:
        """Run a job, warm if it can be; returns how it ended and which launcher ran it."""
        plan = plan_of(job.cell, job.entry, job.interpreter, job.devices, late=self._makes_late)
        if plan is None:
            return torchrun(job, limits)
        try:
            family = self._take(plan, limits.stop)
        except WarmError as error:
            self._report(job, error)
            return torchrun(job, limits)
        try:
            family.served.add(plan.run)
            ended = family.run(job, plan, limits)
        except WarmError as error:
            self._report(job, error)
            # What it may have begun is ended before torchrun begins the same run.
            end_ranks(job.folder)
        else:
            if self.spares is not None:
                made = plan.with_late
                self.spares.used(plan.start, made if made in family.branches else plan.imports)
            return ended, "warm"
        finally:
            self._give_back(family)
        return torchrun(job, limits)

    @property
    def _makes_late(self) -> bool:
        return self.late or self.spares is not None

    def _report(self, job: Job, error: WarmError) -> None:
        self.report(f"{job.cell.label}: through torchrun, since {error}")

    def _is_busy(self, key: tuple[object, ...]) -> bool:
        with self._lock:
            return key in self._busy

    def _take(self, plan: Plan, stop: threading.Event) -> Family:
        """A family for this run alone, started if need be; raises WarmError or OSError."""
        key = plan.start.key
        ended: list[Family] = []
        with self._lock:
            self._busy.append(key)
            for family in reversed(self._idle):
                if family.key == key and plan.run not in family.served:
                    self._idle.remove(family)
                    return family
            while self._idle and len(self._idle) + len(self._busy) > self.limit:
                ended.append(self._idle.pop(0))
        for family in ended:
            family.close()
        try:
            spare = self.spares.take(plan.start, stop) if self.spares is not None else None
            # In a new environment the first rank compiles the modules, and the others load them; else each would.
            is_new = _changed_at(plan.start.interpreter) > self._began
            return spare or start_family(plan.start, stop, first_alone=is_new)
        except BaseException:
            with self._lock:
                self._busy.remove(key)
            raise

    def _give_back(self, family: Family) -> None:
        """Keep a family for other runs, unless one of its processes has ended."""
        alive = family.is_alive
        with self._lock:
            self._busy.remove(family.key)
            if alive:
                self._idle.append(family)  # the last is the one used last
        if not alive:
            family.close()


def _watch(ranks: dict[Connection, int], job: Job, limits: Limits) -> Ended:
    """Wait for the ranks of a run as ``run_tree`` waits for torchrun, and end the others after a failure as it does."""
    guard = Guard(job.folder, job.cell.world_size, limits)
    running = dict(ranks)
    codes: list[int | None] = []
    must_end = False
    while running and not any(code != 0 for code in codes) and not must_end:
        codes += _ended(running)
        must_end = bool(running) and guard.must_end()
    if guard.found_hang:
        dump_stacks(job.folder)
    grace = TERM_GRACE_SECONDS if must_end else TORCHRUN_GRACE_SECONDS
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, TERM_GRACE_SECONDS)):
        for pid in running.values():
            _signal(pid, number)
        until = time.monotonic() + seconds
        while running and time.monotonic() < until:
            codes += _ended(running)
    end_ranks(job.folder)
    return guard.ended(None if running or None in codes else int(any(codes)))


def _ended(running: dict[Connection, int]) -> list[int | None]:
    """The exit codes of the ranks that have ended meanwhile, None for one whose process was lost; they are removed."""
    codes: list[int | None] = []
    select.select([connection.socket for connection in running], [], [], POLL_SECONDS)
    for connection, pid in list(running.items()):
        try:
            message = connection.next_message()
        except WarmError:
            message = {"ended": pid, "code": None}
        if message is not None and message.get("ended") == pid:
            del running[connection]
            codes.append(message["code"])
    return codes


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal the session of a rank, as torchrun does."""
    with suppress(ProcessLookupError, PermissionError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # it has not made its session yet
            os.kill(pid, number)
