"""What do sentinels add to a step?  ``python -m tests.bench.reach_overhead --python PATH --sentinels FILE``

Two processes train the same model, one with sentinels; they take turns, so that only one runs at a time, and each says
how much processor time its steps took.  A pair is two turns, in an order that alternates.  Two processes never have the
same layout of memory, so several couples of processes are measured, and as many couples without any sentinels: how far
those are from 1 is what such a measurement cannot resolve.  Intervals are of a bootstrap over couples and pairs.

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

WORKER = Path(__file__).parent / "trainers" / "watched_loop.py"
WARM_UP = 3
"""Turns at the beginning that are not counted."""
DRAWS = 2000
FACTS = "{'torch': torch.__version__, 'cpu': torch.backends.cpu.get_cpu_capability()}"

Couple = list[tuple[int, int]]
"""Nanoseconds of processor time of each pair of turns: without sentinels, and of the other process."""


class Trainer:
    """A process that trains when it is asked to."""

    def __init__(self, python: Path, sentinels: Path | None, **variables: str) -> None:
        command = [str(python), str(WORKER), *([str(sentinels)] if sentinels else [])]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )

    def ask(self, line: str) -> bytes:
        """Its answer to a line."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def turn(self, steps: int) -> int:
        """Nanoseconds of processor time that some steps took."""
        return int(self.ask(str(steps)))

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


def calls_of_a_step(python: Path, sentinels: Path) -> dict[str, int]:
    """How often each sentinel is called in one step."""
    trainer = Trainer(python, sentinels, COUNT_CALLS="1")
    trainer.turn(2)
    found: dict[str, int] = json.loads(trainer.ask("calls 1"))
    trainer.end()
    return found


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


def measured(couples: Sequence[Couple], seed: int, steps: int) -> dict[str, object]:
    """The figures of some couples."""
    plain = [first for pairs in couples for first, _ in pairs]
    return {
        "ratio": round(ratio(couples), 5),
        "interval": interval(couples, random.Random(seed).randrange),
        "of_each_couple": [round(ratio([pairs]), 5) for pairs in couples],
        "median_step_ms": round(statistics.median(plain) / 1e6 / steps, 2),
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
        "sentinels_called_in_a_step": calls_of_a_step(args.python, args.sentinels),
        "sentinels": measured(watched, 1, args.steps),
        "control": measured(control, 2, args.steps),
    }
    text = json.dumps(answer, indent=1) + "\n"
    print(text)
    if args.output:
        args.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
