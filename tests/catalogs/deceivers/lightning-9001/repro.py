# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "lightning==2.5.6"]
# ///
"""A function marked rank_zero_only must run on rank 0 only, before there is a Trainer too."""

import os
import time
from pathlib import Path

import lightning as L
import torch  # noqa: F401
from lightning.pytorch.utilities import rank_zero_only

RANK = int(os.environ["RANK"])


@rank_zero_only
def claim(folder: Path) -> None:
    """Leave a file that names the rank."""
    (folder / f"by{RANK}").write_text("")


def main() -> None:
    folder = Path(os.environ["TMPDIR"])
    claim(folder)
    (folder / f"done{RANK}").write_text("")
    while not (folder / f"done{1 - RANK}").exists():
        time.sleep(0.01)
    found = sorted(path.name for path in folder.glob("by*"))
    assert found == ["by0"], f"documented: written on {found}, lightning {L.__version__}"
    print("oracle passed: only rank 0 has written")


if __name__ == "__main__":
    main()
