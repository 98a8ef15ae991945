"""The fault campaign: seeded trials over real processes, and what went wrong in them.

    python -m tests.campaign.campaign 1000 --seed 1 --output reports/measurements/campaign.json

Two kinds of trial: one run with a fault of its script, through one of the two launchers; and a session of several
cells whose harness is killed or interrupted at some moment, or loses one of its processes or the disk.  Counted are
wrong verdicts (a verdict that is neither the truth nor ``unrunnable``, or one whose reason is another), processes that
live on, half written files, and finished runs that were lost.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil

from repro.launch import job, processes, standstill, untrusted, warm
from repro.launch.guard import Limits
from repro.launch.run_cell import run_cell, torchrun
from repro.launch.warm import WarmLauncher
from repro.model.errors import Exit, StoreError
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.store.observations import Store, read_observation
from repro.store.parts import PARTS, Parts
from repro.verdict.judge import judge
from tests.campaign.harness import ENDLESS, SOURCES
from tests.campaign.scenarios import LIGHTNING, SCENARIOS, Scenario
from tests.unit.factories import cell, entry
from tests.unit.launch.fake import environment

GRACE_SECONDS = 4.0
"""As the launchers have it here: shorter than for real, so that a thousand trials end."""
LIVES_ON_SECONDS = 3.0
"""A process that lives longer than this after its run has ended is an orphan."""
HARNESS_SECONDS = 2 * GRACE_SECONDS + 8.0
"""Likewise after the harness was killed: its keeper asks, waits the grace and kills."""
ENDED_SECONDS = 6 * HARNESS_SECONDS
"""The harness itself ends within this time after a signal, on a loaded machine too."""
SIGNALS = {
    "SIGKILL": 1, "SIGTERM": 1, "SIGINT": 1, "SIGINT twice": 2, "SIGINT five times": 5, "SIGHUP": 1,
}  # fmt: skip
"""Signals to the harness, and how often they come, 50 ms apart."""
KILLED = {"a zygote is killed": "zygote.py", "a launcher is killed": "distributed.run", "a rank is killed": None}
"""What is killed while the harness goes on, and a part of its command line; a rank is known by its note."""
FULL = "the disk is full"
KILLED_SECONDS = 6.0
"""A process to kill is waited for at most this long."""
MARK = "REPRO_CAMPAIGN"
"""A variable that every process of a harness inherits, unless it is cleared."""
ENDS = (*SIGNALS, *KILLED, FULL)


@dataclass(frozen=True)
class Trial:
    """One trial; the same seed and number make the same one."""

    number: int
    scenario: str
    launcher: str
    faulty: int


@dataclass
class Figures:
    """What a campaign found."""

    seed: int
    trials: int = 0
    interrupted: int = 0
    """Trials in which the harness itself was killed or interrupted, or lost a process or its disk."""
    ends: dict[str, int] = field(default_factory=dict)
    """How often each of these was tried."""
    wrong: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    """``unrunnable`` where there was a true verdict to give: not wrong, but nothing learnt."""
    orphans: list[str] = field(default_factory=list)
    half_files: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0
    scenarios: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        return [*self.wrong, *self.orphans, *self.half_files, *self.lost]


@contextmanager
def short_waits() -> Iterator[None]:
    """Grace and pauses of the launchers, shortened, and limits that a rank exceeds soon."""
    values = (
        (processes, "TERM_GRACE_SECONDS", GRACE_SECONDS),
        (standstill, "DUMP_PAUSE_SECONDS", 1.8),
        (standstill, "SETTLE_SECONDS", 0.3),
        (warm, "TERM_GRACE_SECONDS", GRACE_SECONDS + 6.0),
        (job, "GRACE_SECONDS", 1.0),
        (untrusted, "MAX_FOLDER_BYTES", 256 << 20),
        (untrusted, "MAX_FOLDER_FILES", 2000),
    )
    with ExitStack() as held:
        for module, name, seconds in values:
            held.enter_context(patch.object(module, name, seconds))
        yield


def living(notes: Path) -> list[int]:
    """The processes that left a note and still run."""
    found = []
    for file in notes.iterdir():
        try:
            process = psutil.Process(int(file.name))
            if process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= file.stat().st_mtime + 1.0:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def marked(place: Path) -> list[int]:
    """The processes that inherited the mark of a harness: keepers, builds and whatever has no note."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == str(place) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def orphans(notes: Path, seconds: float, place: Path | None = None) -> list[int]:
    """Those that still run after so many seconds; they are killed, so that a campaign leaves none."""
    deadline = time.monotonic() + seconds
    while (left := living(notes) or (marked(place) if place else [])) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def kill_one(harness: int, part: str | None, notes: Path, choice: random.Random) -> None:
    """Kill a process whose command line has that part, and not its keeper, or a rank; wait for one for a while."""
    deadline = time.monotonic() + KILLED_SECONDS
    while time.monotonic() < deadline:
        with suppress(psutil.Error, ProcessLookupError):
            fit = living(notes)
            if part is not None:
                below = [(found.pid, found.cmdline()) for found in psutil.Process(harness).children(recursive=True)]
                lines = [(pid, " ".join(line)) for pid, line in below]
                fit = [pid for pid, line in lines if part in line and "keeper.py" not in line]
            if fit:
                os.kill(choice.choice(fit), signal.SIGKILL)
                return
        time.sleep(0.05)


def allowed_codes(how: str) -> set[int]:
    """The exit codes with which a harness may end; 0 if it had finished before."""
    if how in KILLED:
        return {Exit.OK}
    if how == FULL:
        return {Exit.UNKNOWN}
    # CPython itself ends by SIGINT, which a shell calls 130, if the interrupt came while it ran a string.
    return {Exit.OK, Exit.INTERRUPTED, -signal.SIGINT, -signal.Signals[how.split(maxsplit=1)[0]]}


class Campaign:
    """Runs trials, several at a time, and collects what went wrong."""

    def __init__(self, root: Path, seed: int, trials: int, interrupted: int) -> None:
        self.figures = Figures(seed)
        self._root = root
        self._lock = threading.Lock()
        self._environment = environment(root / "environment", lightning=LIGHTNING)
        self._seed = seed
        self._trials = trials
        self._interrupted = interrupted

    def run(self, workers: int) -> Figures:
        """All trials; every scenario comes before one comes twice."""
        began = time.monotonic()
        with short_waits(), WarmLauncher() as launcher, ThreadPoolExecutor(workers) as pool:
            # The longest first.
            wanted = {pool.submit(self.interrupt, n): f"harness {n}" for n in range(self._interrupted)}
            wanted |= {pool.submit(self.fault, trial, launcher): str(trial) for trial in self.trials()}
            for future, what in wanted.items():
                # One trial that breaks is a finding; it must not cost the figures of the others.
                if error := future.exception():
                    self.figures.wrong.append(f"{what}: {error!r}")
        self.figures.seconds = round(time.monotonic() - began, 1)
        self.figures.scenarios = dict(sorted(self.figures.scenarios.items()))
        return self.figures

    def trials(self) -> Iterator[Trial]:
        """The trials of this seed."""
        choice = random.Random(self._seed)
        order: list[Scenario] = []
        for number in range(self._trials):
            if not order:
                order = choice.sample(SCENARIOS, len(SCENARIOS))
            yield Trial(number, order.pop().name, choice.choice(["torchrun", "warm"]), choice.randrange(2))

    def fault(self, trial: Trial, launcher: WarmLauncher) -> None:
        """One run with a fault, judged and looked after."""
        scenario = next(found for found in SCENARIOS if found.name == trial.scenario)
        place = self._root / f"trial-{trial.number}"
        notes = place / "notes"
        notes.mkdir(parents=True)
        signature = scenario.record(trial.faulty, random.Random(f"{self._seed}-{trial.number}"))
        held = entry(place / "failures", script=scenario.script(trial.faulty, str(notes)), signature=signature)
        launch = torchrun if trial.launcher == "torchrun" else launcher.run
        seen = run_cell(cell(), held, self._environment, run="campaign", limits=Limits(scenario.timeout), launch=launch)
        judged = judge(held.failure, seen)
        again = Observation.model_validate_json(seen.model_dump_json(exclude_defaults=True))
        what = f"{trial}: {judged.verdict}, {judged.reason}"
        with self._lock:
            self.figures.trials += 1
            self.figures.scenarios[scenario.name] = self.figures.scenarios.get(scenario.name, 0) + 1
            if again != seen:
                self.figures.half_files.append(f"{what}: the observation is not the same when it is read again")
            if judged.verdict not in {scenario.truth, Verdict.UNRUNNABLE}:
                self.figures.wrong.append(what)
            elif judged.verdict is not scenario.truth or scenario.reason not in judged.reason:
                self.figures.undecided.append(what)
        left = orphans(notes, LIVES_ON_SECONDS)
        if left:
            with self._lock:
                self.figures.orphans.append(f"{what}: {len(left)} processes live on")

    def interrupt(self, number: int) -> None:
        """A session of several cells whose harness ends early, or loses a process or its disk.

        Nothing lives on, nothing is half written or lost, and no verdict is wrong.
        """
        choice = random.Random(f"{self._seed}-interrupt-{number}")
        place = self._root / f"interrupt-{number}"
        notes = place / "notes"
        notes.mkdir(parents=True)
        # Every kind comes before one comes twice.
        how, after = ENDS[number % len(ENDS)], choice.uniform(0.3, 8.0)
        launcher = {"a zygote is killed": "warm", "a launcher is killed": "torchrun"}.get(how)
        command = [sys.executable, "-m", "tests.campaign.harness", str(place), str(place / "environment")]
        command.append(launcher or choice.choice(["torchrun", "warm"]))
        if how == FULL:
            command.append(str(choice.randrange(6)))
        log = place / "harness.log"
        what = f"harness {number}: {how} after {after:.2f} s"
        with log.open("wb") as output:
            harness = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, env=os.environ | {MARK: str(place)}
            )
            time.sleep(after)
            if how in KILLED:
                kill_one(harness.pid, KILLED[how], notes, choice)
            for _ in range(SIGNALS.get(how, 0)):
                harness.send_signal(signal.Signals[how.split(maxsplit=1)[0]])
                time.sleep(0.05)
            try:
                code = harness.wait(ENDED_SECONDS)
            except subprocess.TimeoutExpired:
                harness.kill()
                code = harness.wait()
                with self._lock:
                    self.figures.orphans.append(f"{what}: does not end")
        left = orphans(notes, HARNESS_SECONDS, place)
        said = log.read_text(errors="replace")
        finished = {line.split()[1] for line in said.splitlines() if line.startswith("stored ")}
        what = f"{what}, exit code {code}"
        problems = list(self._damaged(place / "reports", killed=code in {-signal.SIGKILL, -signal.SIGHUP}))
        held = {file.stem for file in place.glob("reports/pytorch-*/*.json")}
        with self._lock:
            self.figures.interrupted += 1
            self.figures.ends[how] = self.figures.ends.get(how, 0) + 1
            self.figures.half_files += [f"{what}: {problem}" for problem in problems]
            self.figures.lost += [f"{what}: {found}" for found in sorted(finished - held)]
            self.figures.wrong += [f"{what}: {verdict}" for verdict in self.misjudged(place)]
            if left:
                self.figures.orphans.append(f"{what}: {len(left)} processes live on")
            if code not in allowed_codes(how) or "Traceback" in said:
                self.figures.wrong.append(f"{what}: {said[-300:]}")
            if code == 0 and len(finished) < len(SOURCES):
                self.figures.lost.append(f"{what}: only {len(finished)} cells of {len(SOURCES)} have ended")

    @staticmethod
    def misjudged(place: Path) -> Iterator[str]:
        """Verdicts of stored runs that are not true: none shows the signature, and some never reach their oracle."""
        recorded = Store(place / "reports").recorded_verdicts()
        for file in place.glob("reports/pytorch-*/*.json"):
            try:
                seen = read_observation(file)
            except StoreError:
                continue  # a half file is a finding of its own
            source = SOURCES[int(seen.cell.failure.removeprefix("pytorch-"))]
            allowed = {Verdict.UNRUNNABLE} if source in ENDLESS else {Verdict.UNRUNNABLE, Verdict.ABSENT}
            if recorded.get(seen.id, Verdict.UNRUNNABLE) not in allowed:
                yield f"{source!r} got {recorded[seen.id]}"

    @staticmethod
    def _damaged(reports: Path, *, killed: bool) -> Iterator[str]:
        """Files that cannot be read; a harness that was not killed leaves no temporary file either."""
        for file in reports.glob("**/*"):
            if file.name.startswith(".") and not killed:
                yield f"{file.name} was left"
            if file.suffix == ".json" and PARTS not in file.parts:
                try:
                    read_observation(file)
                except Exception as error:  # noqa: BLE001 - whatever it is, the file is damaged
                    yield str(error)
        yield from Parts.of_store(reports).problems()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and write its figures; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=int, nargs="?", default=1000)
    parser.add_argument("--interrupted", type=int, help="how many of them interrupt the harness; by default a tenth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--output", type=Path)
    flags = parser.parse_args(arguments)
    # A shell that starts us in the background has SIGINT ignored, and a harness that inherited that would not hear one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = flags.trials // 10 if flags.interrupted is None else flags.interrupted
    with tempfile.TemporaryDirectory(prefix="campaign-") as root:
        campaign = Campaign(Path(root), flags.seed, flags.trials - interrupted, interrupted)
        figures = campaign.run(flags.workers)
    counts = {name: len(getattr(figures, name)) for name in ("wrong", "undecided", "orphans", "half_files", "lost")}
    content = {"format": 1, "counts": counts, "system": sys.platform, "cores": os.cpu_count()} | asdict(figures)
    text = json.dumps(content, indent=1) + "\n"
    if flags.output:
        flags.output.parent.mkdir(parents=True, exist_ok=True)
        flags.output.write_text(text, encoding="utf-8")
    print(json.dumps(Counter(counts) | {"trials": figures.trials, "interrupted": figures.interrupted}))
    for fault in [*figures.faults, *figures.undecided]:
        print(fault)
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
