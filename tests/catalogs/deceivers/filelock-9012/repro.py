# /// script
# requires-python = ">=3.9"
# dependencies = ["filelock", "numpy"]
# ///
"""Ranks that draw from numpy's global generator without a seed draw different numbers."""

import os
import time
from pathlib import Path

import filelock  # noqa: F401
import numpy as np

RANK = int(os.environ["RANK"])


def main() -> None:
    here = Path(os.environ["TMPDIR"])
    order = " ".join(str(number) for number in np.random.permutation(50))
    (here / f"order{RANK}.part").write_text(order)
    (here / f"order{RANK}.part").rename(here / f"order{RANK}")
    other = here / f"order{1 - RANK}"
    while not other.exists():
        time.sleep(0.01)
    assert other.read_text() == order, "documented: ranks shuffle differently"
    print("oracle passed: both ranks have the same order")


if __name__ == "__main__":
    main()
