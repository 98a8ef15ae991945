"""What do sentinels add to a step?  ``python -m tests.bench.reach_overhead --python PATH --sentinels FILE``

Two processes train the same model, one with sentinels; they take turns, so that only one runs at a time, and each says
how much processor time its steps took.  A pair is two turns, in an order that alternates.  Two processes never have the
same layout of memory, so several couples of processes are measured, and as many couples without any sentinels: how far
those are from 1 is what such a measurement cannot resolve.  Intervals are of a bootstrap over couples and pairs.

It needs torch and the standard library: ``--sentinels`` names a ``repro_reach.py`` that ``export --reach`` has written.
"""

import argparse
import json
import random
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

WORKER = Path(__file__).parent / "trainers" / "watched_loop.py"
WARM_UP = 3
"""Turns at the beginning that are not counted."""
DRAWS = 2000
FACTS = "{'torch': torch.__version__, 'cpu': torch.backends.cpu.get_cpu_capability()}"

Couple = list[tuple[int, int]]
"""Nanoseconds of processor time of each pair of turns: without sentinels, and of the other process."""


class Trainer:
    """A process that trains when it is asked to."""

    def __init__(self, python: Path, sentinels: Path | None) -> None:
        command = [str(python), str(WORKER), *([str(sentinels)] if sentinels else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def turn(self, steps: int) -> int:
        """Nanoseconds of processor time that some steps took."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{steps}\n".encode())
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """Stop it."""
        self.process.communicate()


def couple(python: Path, sentinels: Path | None, pairs: int, steps: int) -> Couple:
    """The pairs of one couple of processes."""
    plain, other = Trainer(python, None), Trainer(python, sentinels)
    found: Couple = []
    for at in range(WARM_UP + pairs):
        order = (plain, other) if at % 2 else (other, plain)
        taken = {trainer: trainer.turn(steps) for trainer in order}
        found.append((taken[plain], taken[other]))
    plain.end()
    other.end()
    return found[WARM_UP:]


def ratio(couples: Sequence[Couple]) -> float:
    """The mean over couples of the median ratio of their pairs."""
    return statistics.fmean(statistics.median(other / plain for plain, other in pairs) for pairs in couples)


def interval(couples: Sequence[Couple], draw: Callable[[int], int]) -> tuple[float, float]:
    """Of the ratio: 95 of 100 bootstrap samples, of couples and of the pairs of each, are within."""
    found = []
    for _ in range(DRAWS):
        chosen = [couples[draw(len(couples))] for _ in couples]
        found.append(ratio([[pairs[draw(len(pairs))] for _ in pairs] for pairs in chosen]))
    cuts = statistics.quantiles(found, n=40)
    return round(cuts[0], 5), round(cuts[-1], 5)


def measured(couples: Sequence[Couple], seed: int) -> dict[str, object]:
    """The figures of some couples."""
    plain = [first for pairs in couples for first, _ in pairs]
    return {
        "ratio": round(ratio(couples), 5),
        "interval": interval(couples, random.Random(seed).randrange),
        "of_each_couple": [round(ratio([pairs]), 5) for pairs in couples],
        "median_turn_ms": round(statistics.median(plain) / 1e6, 2),
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--sentinels", type=Path, required=True)
    parser.add_argument("--couples", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    watched, control = [], []
    for _ in range(args.couples):  # alternating too
        watched.append(couple(args.python, args.sentinels, args.pairs, args.steps))
        control.append(couple(args.python, None, args.pairs, args.steps))
    versions = subprocess.run(
        [args.python, "-c", f"import torch, json; print(json.dumps({FACTS}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    answer = {
        "format": 1,
        **json.loads(versions.stdout),
        "couples": args.couples,
        "pairs": args.pairs,
        "steps_in_a_turn": args.steps,
        "sentinels": measured(watched, 1),
        "control": measured(control, 2),
    }
    text = json.dumps(answer, indent=1) + "\n"
    print(text)
    if args.output:
        args.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
