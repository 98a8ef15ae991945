"""What a verdict costs on devices: the runs of the comparison of both launchers, from stored observations.

    python3 PACK/go.py pytest -m gpu --overlay PACK --reports DIR -k test_launchers    # on the machine with devices
    python -m tests.bench.cuda_launchers DIR... [--without-backports] [--write]

Counted are the seconds in which a run holds its devices.  The warm launcher makes its imports before it takes them.
``--without-backports`` leaves out the cells with a backport, for which nothing is imported late ahead.
``--write`` stores the figures in reports/measurements/cuda-launchers.json.
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from repro.files import write_whole
from repro.model.failure import Lane
from repro.model.observation import Observation
from repro.store.observations import Store

FILE = Path(__file__).parents[2] / "reports" / "measurements" / "cuda-launchers.json"


def figures(observations: Iterable[Observation]) -> dict[str, object]:
    """The first run of each cell through each launcher, side by side; cells that were run through one are named."""
    seen: dict[str, dict[str, Observation]] = defaultdict(dict)
    for observation in sorted(observations, key=lambda found: found.started):
        if observation.cell.lane is Lane.CUDA:
            seen[observation.cell.label].setdefault(observation.launcher, observation)
    pairs = {label: (runs["torchrun"], runs["warm"]) for label, runs in sorted(seen.items()) if len(runs) > 1}
    ratios = {label: cold.seconds / warm.seconds for label, (cold, warm) in pairs.items()}
    hardware = {run.hardware.model_dump_json(exclude_none=True) for runs in pairs.values() for run in runs}
    cold, warm = (sum(runs[index].seconds for runs in pairs.values()) for index in (0, 1))
    return {
        "cells": len(pairs),
        "device_seconds": {"torchrun": round(cold, 1), "warm": round(warm, 1)},
        "torchrun_over_warm": round(cold / warm, 2),
        "median_of_the_cells": round(statistics.median(ratios.values()), 2),
        "each": {
            label: {"torchrun": runs[0].seconds, "warm": runs[1].seconds, "ratio": round(ratios[label], 2)}
            for label, runs in pairs.items()
        },
        "torchrun_alone": sorted(label for label, runs in seen.items() if set(runs) == {"torchrun"}),
        "hardware": [json.loads(text) for text in sorted(hardware)],
    }


def main() -> None:
    """Print the figures, and store them if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reports", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--without-backports", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    stored = (observation for folder in given.reports for observation in Store(folder / "data"))
    found = figures(one for one in stored if not (given.without_backports and one.cell.backport))
    text = json.dumps(found, indent=1) + "\n"
    print(text, end="")
    if given.write:
        write_whole(FILE, text)


if __name__ == "__main__":
    main()
