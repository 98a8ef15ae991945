# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""Says what each global generator draws first, so that two runs can be compared; always passes."""

import json
import random

import numpy as np
import torch


def main() -> None:
    drawn = [random.random(), np.random.rand(), float(torch.rand(1))]
    print("measured drawn =", json.dumps(drawn))
    print("measured hash =", hash("a name"))
    assert all(0 <= value < 1 for value in drawn), "documented: out of range"
    print("oracle passed: all numbers are between 0 and 1")


if __name__ == "__main__":
    main()
