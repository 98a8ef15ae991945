# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "accelerate==0.30.1", "numpy<2"]
# ///
"""accelerate keeps every prepared data loader whose iteration was broken off, with its data set, for ever.

A prepared loader registers itself in the global GradientState when an iteration begins, and is removed at its end.
An iteration that is left early has no end, so that a loop with a new loader each round uses more memory each round.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/accelerate/pull/3391
"""

import argparse
import gc
import json
import weakref
from statistics import fmean

import torch
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader

WARM_UP, WINDOW = 2, 4
BOUND = 1.5


def alive(iteration: str) -> list[int]:
    """In each round, how many of the loaders so far are alive, that of the round included."""
    made: list[weakref.ref[DataLoader]] = []
    counts = []
    for _ in range(WARM_UP + 2 * WINDOW):
        loader = prepare_data_loader(DataLoader(torch.arange(64.0), batch_size=4))
        made.append(weakref.ref(loader))
        for _batch in loader:
            if iteration == "broken-off":
                break
        gc.collect()
        counts.append(sum(reference() is not None for reference in made))
        del loader
    return counts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--iteration", choices=["broken-off", "whole"], default="broken-off")
    flags = parser.parse_args()
    Accelerator(cpu=True)
    # An iteration that comes to its end leaves nothing behind: its two windows show the noise of the count.
    same = alive("whole")[WARM_UP:]
    counts = alive(flags.iteration)[WARM_UP:]
    first, second = counts[:WINDOW], counts[WINDOW:]
    windows = {"first": first, "second": second, "same": [same[:WINDOW], same[WINDOW:]]}
    print("measured loaders =", json.dumps(windows))
    print("measured loaders_alive =", json.dumps(second[-1]))
    ratio = fmean(second) / fmean(first)
    assert ratio < BOUND, f"loaders that are alive grow {ratio:.2f}-fold from window to window: {first}, {second}"
    print(f"oracle passed: the number of loaders that are alive changes by a factor of {ratio:.2f}")


if __name__ == "__main__":
    main()
