"""An observation: the raw facts of running a cell, with no judgement in them.

Paths are kept relative to what they belong to (a distribution, the script), so that a record says the
same on every machine and names none.
"""

import operator
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from repro.model.base import FileName, Strict
from repro.model.cell import Cell
from repro.model.rank_launcher import ColdLauncher
from repro.model.specifiers import with_python

FORMAT: Literal[1] = 1
LINE_CHARACTERS = 300


class Origin(StrEnum):
    """Whose code a frame is."""

    LIBRARY = "library"
    SCRIPT = "script"
    STDLIB = "stdlib"
    HARNESS = "harness"
    OTHER = "other"


class Frame(Strict):
    """One frame of a traceback or of a stack dump."""

    origin: Origin
    file: str
    function: str
    line: int
    code: str = ""

    @property
    def package(self) -> str:
        """Top-level package of a library's frame."""
        return self.file.split("/", 1)[0].removesuffix(".py") if self.origin is Origin.LIBRARY else ""


class Raised(Strict):
    """One exception of a chain; frames from the outermost to the innermost."""

    type: str
    module: str
    bases: tuple[str, ...] = ()
    message: str
    link: Literal["cause", "context"] | None = None
    frames: tuple[Frame, ...] = ()

    @property
    def line(self) -> str:
        """``KeyError: 'optimizer_states'``, cut to one line."""
        first = self.message.strip().splitlines()[0] if self.message.strip() else ""
        text = f"{self.type}: {first}" if first else self.type
        return text if len(text) <= LINE_CHARACTERS else text[: LINE_CHARACTERS - 3] + "..."

    @property
    def innermost_library_frame(self) -> Frame | None:
        return next((frame for frame in reversed(self.frames) if frame.origin is Origin.LIBRARY), None)

    @property
    def innermost_frame(self) -> Frame | None:
        return self.frames[-1] if self.frames else None


class Phase(StrEnum):
    """How far a rank had come when an exception left it."""

    PREPARE = "prepare"
    BACKPORT = "backport"
    IMPORT = "import"
    RUN = "run"


class Imported(Strict):
    """A top-level module that a rank had imported."""

    version: str
    inside: bool
    """Whether its file lies in the environment under test."""


class BetweenDumps(Strict):
    """What a rank's process did between the two stack dumps: a rank that hangs does nothing."""

    seconds: float
    """Time between the two samples of the process."""
    cpu_seconds: float
    """CPU time that all threads of the process, and the processes that it started, used."""
    wakeups: int | None = None
    """How often the main thread went to sleep and woke up again; None where the system does not count it."""
    running: int = 0
    """Number of samples in which the main thread was running or ready to run."""
    stopped: bool = False
    """The process was stopped, for example by SIGSTOP or by a debugger."""


class Warned(Strict):
    """A Python warning that a rank printed."""

    category: str
    message: str
    """Its first line."""
    origin: Origin
    file: str
    line: int

    @property
    def package(self) -> str:
        """Top-level package of the file, ``script`` for the script itself."""
        if self.origin is Origin.SCRIPT:
            return "script"
        known = self.origin in {Origin.LIBRARY, Origin.STDLIB}
        return self.file.split("/", 1)[0].removesuffix(".py") if known else ""


class Rank(Strict):
    """What one rank did."""

    rank: int
    started: bool = False
    reached: bool = False
    """All imports at the top of the script succeeded: its own code ran."""
    finished: bool = False
    """The script ran to its end without an exception."""
    oracle: str | None = None
    """What the script printed about its oracle at its end."""
    exit_code: int | None = None
    signal: int | None = None
    stopped: bool = False
    """The launcher or the harness asked this rank to end."""
    ended: bool = False
    phase: Phase | None = None
    """The phase in which the exception was raised, if there was one."""
    chain: tuple[Raised, ...] = ()
    failed_at: float | None = None
    """Seconds after the start of the run at which the exception was recorded."""
    ended_at: float | None = None
    """Seconds after the start of the run at which the rank's process ended."""
    seconds: float | None = None
    peak_bytes: int | None = None
    imported: dict[str, Imported] = {}
    gates: tuple[str, ...] = ()
    backport_applied: bool = False
    measured: dict[str, Any] = {}
    series: dict[str, tuple[float, ...]] = {}
    """All numbers, in order, of a name that was measured more than once."""
    stacks: tuple[tuple[Frame, ...], ...] = ()
    """Main thread's stack in the two dumps, some seconds apart; innermost frame last."""
    between_dumps: BetweenDumps | None = None
    unreadable: str | None = None
    """Why what this rank left cannot be trusted: damaged, of another shape, or larger than the limits allow."""
    tail: str = ""
    """End of the rank's output."""
    tail_is_part: bool = Field(default=False, exclude_if=operator.not_)
    """The rank wrote more than ``tail``."""
    warnings: tuple[Warned, ...] = Field(default=(), exclude_if=operator.not_)
    """The warnings in all its output, each once."""
    more_warnings: bool = Field(default=False, exclude_if=operator.not_)
    """It printed more warnings than are kept."""

    @property
    def error(self) -> Raised | None:
        """The exception that left the script."""
        return self.chain[0] if self.chain else None


class Overlay(Strict):
    """A packed environment that was laid over an existing interpreter."""

    name: str
    """The environment of ``matrix.yaml`` that was packed."""
    digest: str
    """SHA-256 over the names and the contents of its wheels."""
    distributions: dict[str, str]
    """What it brought; everything else, torch for one, is the base interpreter's."""


class Installed(Strict):
    """The environment under test as its own interpreter sees it."""

    name: str
    python: str
    implementation: str
    distributions: dict[str, str]
    modules: dict[str, tuple[str, ...]] = {}
    """Top-level modules of the distributions that a record may speak of."""
    lock: str | None = None
    """SHA-256 of the lock; None where an existing interpreter is used as it is."""
    overlay: Overlay | None = None

    @property
    def versions(self) -> dict[str, str]:
        """The versions by which a record judges: those of the distributions, and of Python."""
        return with_python(self.distributions, self.python)


class Hardware(Strict):
    """The machine, without anything that names it."""

    system: str
    machine: str
    cores: int
    memory_bytes: int
    accelerators: tuple[str, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    """CUDA release that torch was built for, as torch says; known in the CUDA lane only."""
    nccl: str | None = None
    """Release of the NCCL that torch uses, likewise."""

    @property
    def of_class(self) -> tuple[object, ...]:
        """What makes two machines the same for a stored observation."""
        return (self.system, self.machine, self.accelerators)


class StageRun(Strict):
    """What a stage did that was not the last one to begin."""

    name: str
    seconds: float
    launcher: ColdLauncher | Literal["warm"]
    launcher_key: str | None = None
    launcher_code: int | None = None
    launcher_tail: str = ""
    timeout: int
    cores: int | None = None
    deadline_passed: bool = False
    stood_still: float | None = None
    fault: str | None = None
    ranks: tuple[Rank, ...] = ()


class Observation(Strict):
    """One run of one cell."""

    format: Literal[1] = FORMAT
    id: FileName
    """Unique; begins with the recipe's key."""
    recipe: str
    """SHA-256 of all that determines the run: script, backport, bootstrap, gates, lock, cell."""
    run: str
    """Of the command that made it: observations of one command share it."""
    cell: Cell
    started: str
    """UTC, ISO 8601."""
    seconds: float
    launcher: ColdLauncher | Literal["warm", "none"]
    launcher_key: str | None = None
    """SHA-256 of what determines a warm run beside its recipe; None for torchrun and in old observations."""
    launcher_code: int | None = None
    launcher_tail: str = ""
    timeout: int
    cores: int | None = None
    """The cores that the run could use, where it had more ranks; else None."""
    hosts: int = 1
    """The machines that the ranks ran on."""
    deadline_passed: bool = False
    stood_still: float | None = None
    """Seconds for which no rank had done anything when the run was ended before its deadline; None if it was not."""
    fault: str | None = None
    """Why the ranks were not started, or the run was broken off, in one line."""
    installed: Installed | None = None
    hardware: Hardware
    ranks: tuple[Rank, ...] = ()
    stage: str = ""
    """The stage that launcher, ranks and ends are of: the last one that began; empty where the run has no stages."""
    earlier: tuple[StageRun, ...] = ()
    """The stages before it."""
    roles: dict[str, Installed] = {}
    """What is installed in the environments of ``cell.roles``; ``installed`` is that of the last stage's role."""

    @property
    def is_cold(self) -> bool:
        """True if its ranks started from nothing, by torchrun or the launcher that the record names."""
        return self.launcher not in {"warm", "none"}

    @property
    def shared_cores(self) -> str:
        """``4 ranks on 2 cores`` where ranks shared cores, else an empty string."""
        if self.cores is None:
            return ""
        return f"{self.cell.world_size} ranks on {self.cores} core{'s' if self.cores > 1 else ''}"

    @property
    def cut_off(self) -> bool:
        """True if the harness ended the run while its ranks went on: at its deadline, or because they stood still."""
        return self.deadline_passed or self.stood_still is not None
