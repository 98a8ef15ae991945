"""How often a bisection of a failure that shows in some of its runs only ends with a wrong answer, and what it costs.

Simulates ``repro.search.confirm``, the code that decides every run of ``repro bisect``, against releases whose
failure shows with a given probability.  Nothing is mocked but the runs.  Beside it, the same releases are bisected
with one run a step and no confirmation.

    python -m tests.bench.search_noise [--trials N] [--jobs N] [--write]

``--write`` stores the figures in reports/measurements/search-noise.json.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unittest import mock

from repro.model.verdict import Side
from repro.search import bisection, confirm
from repro.search.bisection import (
    Boundary,
    Contradiction,
    Inconclusive,
    Probe,
    SearchRange,
    Sides,
    Walk,
    next_move,
    walk,
)
from repro.search.confirm import Confirmed, Counts, Noisy, PointRuns, Repeat, next_step

FILE = Path(__file__).parents[2] / "reports" / "measurements" / "search-noise.json"
TRIALS = 20_000
RATES = (("1 in 3", 1 / 3), ("1 in 2", 1 / 2), ("2 in 3", 2 / 3), ("9 in 10", 9 / 10), ("always", 1.0))
RELEASES = 30
STEADY = (10, 16, 30, 60)
"""Ranges for which the cost of a steady failure is measured."""

Outcome = Literal["right", "wrong", "refused", "noisy"]


@dataclass(frozen=True)
class World:
    """Releases of which one side has a failure that shows with some probability."""

    count: int
    change: int
    """The first release that is as the newer end is."""
    older: Side
    rate: float
    rng: random.Random

    @classmethod
    def of(cls, count: int, rate: float, rng: random.Random) -> "World":
        return cls(count, rng.randrange(1, count), rng.choice([Side.BAD, Side.GOOD]), rate, rng)

    @property
    def range(self) -> SearchRange:
        return SearchRange(self.count, self.older)

    @property
    def answer(self) -> Boundary:
        return Boundary(self.change - 1, self.change, ())

    def shows(self, index: int) -> bool:
        """One run: a good release never shows the failure."""
        bad = (index < self.change) == (self.older is Side.BAD)
        return bad and self.rng.random() < self.rate


def confirmed(world: World) -> tuple[Outcome, int]:
    """How a search ends, and its number of runs.  A hint that there is another change is wrong, too."""
    known: dict[int, PointRuns] = {}
    runs = 0
    while isinstance(step := next_step(world.range, known), Probe | Repeat):
        held = known.get(step.index, PointRuns())
        count = step.runs - held.torchrun.conclusive if isinstance(step, Repeat) else 1
        assert count > 0, "a step that runs nothing would never end"
        bad = sum(world.shows(step.index) for _ in range(count))
        before = held.torchrun if isinstance(step, Repeat) else held.warm
        counts = Counts(before.bad + bad, before.good + count - bad)
        known[step.index] = (
            PointRuns(held.warm, counts) if isinstance(step, Repeat) else PointRuns(counts, held.torchrun)
        )
        runs += count
    if isinstance(step, Confirmed):
        return "right" if step.boundary == world.answer and not step.odd else "wrong", runs
    return "noisy" if isinstance(step, Noisy) else "refused", runs


def single(world: World) -> tuple[Outcome, int]:
    """The same with one run a step."""
    known: dict[int, Side] = {}
    while isinstance(move := next_move(world.range, known), Probe):
        known[move.index] = Side.BAD if world.shows(move.index) else Side.GOOD
    if isinstance(move, Contradiction | Inconclusive):
        return "refused", len(known)
    return "right" if move == world.answer else "wrong", len(known)


@dataclass(frozen=True)
class Figures:
    """The outcomes of many trials as shares, and the mean number of runs."""

    releases: int
    rate: float
    trials: int
    outcomes: dict[str, float]
    runs: float
    single_outcomes: dict[str, float]
    single_runs: float

    @property
    def wrong(self) -> float:
        return self.outcomes.get("wrong", 0.0)

    @property
    def cost(self) -> float:
        """Runs for one run of the search without confirmation."""
        return self.runs / self.single_runs


def simulate(releases: int, rate: float, trials: int, seed: int = 13) -> Figures:
    """Bisect so many worlds, with confirmation and without."""
    rng = random.Random(f"{seed} {releases} {rate}")
    outcomes: dict[str, Counter[str]] = {"confirmed": Counter(), "single": Counter()}
    runs: Counter[str] = Counter()
    for _ in range(trials):
        world = World.of(releases, rate, rng)
        for name, search in (("confirmed", confirmed), ("single", single)):
            outcome, count = search(world)
            outcomes[name][outcome] += 1
            runs[name] += count
    shares = {name: {key: found[key] / trials for key in sorted(found)} for name, found in outcomes.items()}
    return Figures(
        releases,
        rate,
        trials,
        shares["confirmed"],
        runs["confirmed"] / trials,
        shares["single"],
        runs["single"] / trials,
    )


def _figures_json(name: str, found: Figures) -> dict[str, object]:
    return {
        "shows": name,
        "releases": found.releases,
        "trials": found.trials,
        "outcomes": {key: round(share, 5) for key, share in found.outcomes.items()},
        "runs": round(found.runs, 2),
        "one_run_a_step": {
            "outcomes": {key: round(share, 5) for key, share in found.single_outcomes.items()},
            "runs": round(found.single_runs, 2),
        },
    }


def remember_walks() -> Callable[[SearchRange, Sides], Walk]:
    """``walk``, which is pure, with its results kept: trials meet the same answers again and again."""
    kept: dict[object, Walk] = {}

    def remembered(points: SearchRange, answers: Sides) -> Walk:
        key = points, frozenset(answers.items())
        if key not in kept:
            kept[key] = walk(points, answers)
        return kept[key]

    return remembered


def main() -> None:
    """Simulate every rate, print the figures, and store them with ``--write``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    wanted = [(name, rate, RELEASES) for name, rate in RATES]
    wanted += [("always", 1.0, count) for count in STEADY if count != RELEASES]
    made = []
    with ProcessPoolExecutor(options.jobs, initializer=_begin) as pool:
        futures = [pool.submit(simulate, releases, rate, options.trials) for _, rate, releases in wanted]
        for (name, _, releases), future in zip(wanted, futures, strict=True):
            found = future.result()
            made.append(_figures_json(name, found))
            sys.stdout.write(
                f"{name:<8} {releases:>4} releases: wrong {found.wrong:.2%}, {found.runs:.1f} runs; one run a step: "
                f"wrong {found.single_outcomes.get('wrong', 0.0):.2%}, {found.single_runs:.1f} runs\n"
            )
            sys.stdout.flush()
    if options.write:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(json.dumps({"format": 1, "rates": made}, indent=1) + "\n")


def _begin() -> None:
    """Let a worker process keep what it walked."""
    kept = remember_walks()
    for module in (bisection, confirm):
        mock.patch.object(module, "walk", kept).start()


if __name__ == "__main__":
    main()
