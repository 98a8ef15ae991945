"""What do sentinels add to a step?  ``python -m tests.bench.reach_overhead --python PATH --sentinels FILE``

A process trains with sentinels, and takes them off and sets them again between steps: a trial is a step with them, and
two steps without, in an order that is drawn.  All steps have the same layout of memory and the same load beside them;
how far the two steps without sentinels are from each other is what such a measurement cannot resolve.  Intervals are of
a bootstrap over processes and trials.  The first steps, in which all is counted, are apart from later ones: by then,
what a step calls most is put back as it was.

It needs torch and the standard library: ``--sentinels`` names a ``repro_reach.py`` that ``export --reach`` has written.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.figures import publish

WORKER = Path(__file__).parent / "trainers" / "watched_loop.py"
STEPS_BEFORE = {"first_steps": 0, "later_steps": 60}
"""Steps before the first trial of a process.  In 45 trials no sentinel of the first steps sees 10,000 calls."""
WARM_UP = 5
"""Trials at the beginning of each process that are not counted."""
DRAWS = 2000

Trial = dict[str, int]
"""Nanoseconds of processor time of a step: ``watched``, ``plain`` and ``again`` (plain too)."""


def process(python: Path, sentinels: Path, trials: int, seed: int, before: int) -> dict[str, object]:
    """The facts and the trials of one process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), str(WORKER), str(sentinels), str(WARM_UP + trials), str(seed), str(before)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def ratio(processes: Sequence[Sequence[Trial]], arm: str) -> float:
    """The mean over processes of the median ratio of their trials to a plain step."""
    return statistics.fmean(statistics.median(trial[arm] / trial["plain"] for trial in trials) for trials in processes)


def interval(processes: Sequence[Sequence[Trial]], arm: str, draw: Callable[[int], int]) -> tuple[float, float]:
    """Of the ratio: 95 of 100 bootstrap samples, of processes and of the trials of each, are within."""
    found = []
    for _ in range(DRAWS):
        chosen = [processes[draw(len(processes))] for _ in processes]
        found.append(ratio([[trials[draw(len(trials))] for _ in trials] for trials in chosen], arm))
    cuts = statistics.quantiles(found, n=40)
    return round(cuts[0], 5), round(cuts[-1], 5)


def measured(processes: Sequence[Sequence[Trial]], arm: str) -> dict[str, object]:
    """The figures of an arm."""
    return {
        "ratio": round(ratio(processes, arm), 5),
        "interval": interval(processes, arm, random.Random(19).randrange),
        "of_each_process": [round(ratio([trials], arm), 5) for trials in processes],
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--sentinels", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    answer: dict[str, object] = {"format": 1, "processes": args.processes, "trials_of_each": args.trials}
    for when, before in STEPS_BEFORE.items():
        found = [process(args.python, args.sentinels, args.trials, seed, before) for seed in range(args.processes)]
        trials: list[list[Trial]] = [item.pop("trials")[WARM_UP:] for item in found]  # type: ignore[index]
        plain = [trial["plain"] for item in trials for trial in item]
        answer[when] = {
            **found[0],
            "median_step_ms": round(statistics.median(plain) / 1e6, 2),
            "sentinels": measured(trials, "watched"),
            "control": measured(trials, "again"),
            "load": os.getloadavg()[0],
        }
    publish(answer, args.output)


if __name__ == "__main__":
    main()
