# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.15.0", "numpy==2.2.3", "safetensors"]
# ///
"""``load_state`` under NumPy 2 does not restore the random states that NumPy 1 wrote, and goes on.

The states of Python and torch, and the count of micro-batches, are in the same file and are lost with it.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR    # with NumPy 1
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR     # with NumPy 2
"""

import argparse
import json
import logging
import random
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

LOGGER = logging.getLogger("accelerate.checkpointing")


class Lines(logging.Handler):
    """Keeps what accelerate logs of its checkpoints, with the level."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.levelname}: {record.getMessage()}")


def drawn() -> dict[str, float]:
    return {"python": random.random(), "numpy": float(np.random.rand()), "torch": torch.rand(()).item()}  # noqa: NPY002


def allow(what: str) -> None:
    """Tell ``torch.load`` what it may read: the function that its message names, by its new name or by its old one."""
    if what != "nothing":
        function = np.empty(0).__reduce__()[0]
        old = (function, "numpy.core.multiarray._reconstruct")
        torch.serialization.add_safe_globals([old if what == "old-name" else function])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--allow", choices=["nothing", "new-name", "old-name"], default="nothing")
    flags = parser.parse_args()
    accelerator = Accelerator(gradient_accumulation_steps=4)
    model = accelerator.prepare(torch.nn.Linear(1, 1))
    path, kept = flags.folder / "checkpoint", flags.folder / f"rank-{accelerator.process_index}.json"
    set_seed(0)  # both jobs begin as a training script does
    if flags.stage == "write":
        before = []
        for _ in range(2):  # of the four micro-batches of an update
            with accelerator.accumulate(model):
                before.append(drawn())
        accelerator.save_state(path)
        kept.write_text(json.dumps({"first": before[0], "next": drawn(), "step": accelerator.step}))
        said = "two micro-batches were counted, and the checkpoint was written"
    else:
        expected, lines = json.loads(kept.read_text()), Lines()
        level = LOGGER.getEffectiveLevel()
        LOGGER.addHandler(lines)
        LOGGER.setLevel(logging.INFO)
        allow(flags.allow)
        accelerator.load_state(path)
        LOGGER.setLevel(level)
        found = drawn()
        print("measured said =", json.dumps([line for line in lines.said if "random states" in line]))
        print("measured repeated =", json.dumps(found == expected["first"]))
        print("measured steps =", json.dumps([expected["step"], accelerator.step]))
        lost = [name for name, value in expected["next"].items() if found[name] != value]
        assert not lost, f"the next random numbers are not those of the job that was saved: {', '.join(lost)}"
        assert accelerator.step == expected["step"], f"{accelerator.step} of {expected['step']} micro-batches"
        said = "the next random numbers and the count of micro-batches are those of the job that was saved"
    accelerator.wait_for_everyone()
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
