"""The fault campaign: seeded trials over real processes, and what went wrong in them.

    python -m tests.campaign.campaign 1000 --seed 1 --output reports/measurements/campaign.json

Two kinds of trial: one run with a fault of its script, through one of the two launchers; and a session of several
cells whose harness is killed or interrupted at some moment.  Counted are wrong verdicts (a verdict that is neither
the truth nor ``unrunnable``, or one whose reason is another), processes that live on, half written files, and
finished runs that were lost.
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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil

from repro.launch import job, processes, warm
from repro.launch.run_cell import run_cell, torchrun
from repro.launch.warm import WarmLauncher
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.store.observations import read_observation
from repro.verdict.judge import judge
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
ENDS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGINT twice")


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
    """Trials in which the harness itself was killed or interrupted."""
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
    """Grace and pauses of the launchers, shortened."""
    values = (
        (processes, "TERM_GRACE_SECONDS", GRACE_SECONDS),
        (processes, "DUMP_PAUSE_SECONDS", 1.8),
        (processes, "SETTLE_SECONDS", 0.3),
        (warm, "TERM_GRACE_SECONDS", GRACE_SECONDS + 6.0),
        (job, "GRACE_SECONDS", 1.0),
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


def orphans(notes: Path, seconds: float) -> list[int]:
    """Those that still run after so many seconds; they are killed, so that a campaign leaves none."""
    deadline = time.monotonic() + seconds
    while (left := living(notes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


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
            wanted = {pool.submit(self.fault, trial, launcher): str(trial) for trial in self.trials()}
            wanted |= {pool.submit(self.interrupt, n): f"harness {n}" for n in range(self._interrupted)}
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
        seen = run_cell(cell(), held, self._environment, run="campaign", timeout=scenario.timeout, launch=launch)
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
        """A session of several cells whose harness ends early: nothing lives on, nothing is half written or lost."""
        choice = random.Random(f"{self._seed}-interrupt-{number}")
        place = self._root / f"interrupt-{number}"
        notes = place / "notes"
        notes.mkdir(parents=True)
        how, after = choice.choice(ENDS), choice.uniform(0.3, 8.0)
        command = [sys.executable, "-m", "tests.campaign.harness", str(place), str(place / "environment")]
        command.append(choice.choice(["torchrun", "warm"]))
        log = place / "harness.log"
        with log.open("wb") as output:
            harness = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
            time.sleep(after)
            for _ in range(2 if how.endswith("twice") else 1):
                harness.send_signal(signal.Signals[how.split()[0]])
                time.sleep(0.05)
            try:
                code = harness.wait(ENDED_SECONDS)
            except subprocess.TimeoutExpired:
                harness.kill()
                code = harness.wait()
                with self._lock:
                    self.figures.orphans.append(f"harness {number}: {how} after {after:.2f} s: does not end")
        left = orphans(notes, HARNESS_SECONDS)
        finished = {line.split()[1] for line in log.read_text().splitlines() if line.startswith("stored ")}
        what = f"harness {number}: {how} after {after:.2f} s, exit code {code}"
        problems = list(self._damaged(place / "reports"))
        held = {file.stem for file in place.glob("reports/**/*.json")}
        with self._lock:
            self.figures.interrupted += 1
            self.figures.half_files += [f"{what}: {problem}" for problem in problems]
            self.figures.lost += [f"{what}: {found}" for found in sorted(finished - held)]
            if left:
                self.figures.orphans.append(f"{what}: {len(left)} processes live on")
            # CPython itself ends by SIGINT, which a shell calls 130, if the interrupt came while it ran a string.
            if code not in {0, 130, -signal.SIGINT, -signal.SIGKILL} or "Traceback" in log.read_text():
                self.figures.wrong.append(f"{what}: {log.read_text()[-300:]}")

    @staticmethod
    def _damaged(reports: Path) -> Iterator[str]:
        for file in reports.glob("**/*"):
            if file.suffix == ".json":
                try:
                    read_observation(file)
                except Exception as error:  # noqa: BLE001 - whatever it is, the file is damaged
                    yield str(error)


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
