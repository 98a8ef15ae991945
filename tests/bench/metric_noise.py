"""How often ``bisect --metric`` answers wrongly, by the distance of the ends: a simulation of its rule.

    python -m tests.bench.metric_noise [--searches N] [--write]

Both ends and each step are drawn from normal noise of the same spread; each search has 15 steps, in turn at the good
and at the bad end.  ``--write`` stores the figures in reports/measurements/metric-noise.json.
"""

import argparse
import json
import math
import random
from pathlib import Path

from repro.model.verdict import Side
from repro.search.metric import Inseparable, settle

FILE = Path(__file__).parents[2] / "reports" / "measurements" / "metric-noise.json"
DISTANCES = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Of the two ends, in spreads of one run."""
STEPS = 15
SEED = 18


def is_wrong(chosen: random.Random, distance: float) -> bool | None:
    """Whether some step of one search is on the wrong side; None if the search is refused."""
    good: list[float] = []
    bad: list[float] = []

    def values(runs: int) -> tuple[list[float], list[float]]:
        for held, mean in ((good, 0.0), (bad, distance)):
            held += [chosen.gauss(mean, 1) for _ in range(runs - len(held))]
        return good, bad

    rule = settle("x", values, STEPS)
    if isinstance(rule, Inseparable):
        return None
    for step in range(STEPS):
        true = (Side.GOOD, Side.BAD)[step % 2]
        mean = chosen.gauss(distance * (step % 2), 1 / math.sqrt(rule.runs))
        if rule.side([mean]) is true.opposite:
            return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=20_000)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = []
    for distance in DISTANCES:
        chosen = random.Random(f"{SEED}-{distance}")
        made = [is_wrong(chosen, distance) for _ in range(given.searches)]
        answered, wrong = sum(one is not None for one in made), sum(one is True for one in made)
        rows.append({
            "distance": distance,
            "answered": round(answered / given.searches, 4),
            "wrong_of_all": round(wrong / given.searches, 5),
            "wrong_of_answered": round(wrong / answered, 4) if answered else None,
        })  # fmt: skip
        print(rows[-1])
    if given.write:
        facts = {"seed": SEED, "searches": given.searches, "steps": STEPS, "rows": rows}
        FILE.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
