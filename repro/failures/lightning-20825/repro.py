# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.15.0", "lightning==2.6.6", "numpy"]
# ///
"""SIGTERM reaches all ranks at once, as a preemption does, and the job hangs instead of saving a checkpoint.

Lightning's signal handler broadcasts.  Rank 0 is still in its forward pass and broadcasts at once; rank 1 has
finished it and waits in the backward pass for the gradients of rank 0, so that its handler cannot run.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/pull/20825
"""

import argparse
import os
import signal
import tempfile
import threading
import time
import warnings

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

RATE = 0.125
PREEMPTED = 2
"""The step during which the signal comes; it is completed."""


def send(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()


class Saves(Callback):
    """What a job does that wants to go on after a preemption."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        trainer.save_checkpoint(self.path)


class Model(L.LightningModule):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__()
        self.flags = flags
        self.layer = torch.nn.Linear(2, 1, bias=False)
        torch.nn.init.zeros_(self.layer.weight)

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        loss = self.layer(batch).sum()
        if index == PREEMPTED and self.flags.reaches in ("both", f"rank-{self.global_rank}"):
            send(2)
        if index == PREEMPTED and self.flags.slower in ("both", f"rank-{self.global_rank}"):
            time.sleep(4)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), RATE)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reaches", choices=["both", "rank-0", "none"], default="both")
    parser.add_argument("--slower", choices=["rank-0", "both"], default="rank-0")
    flags = parser.parse_args()
    warnings.simplefilter("ignore")
    path = os.path.join(tempfile.gettempdir(), "preempted.ckpt")
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = L.Trainer(accelerator=device, devices=2, strategy="ddp", max_steps=6, callbacks=[Saves(path)], **quiet)
    try:
        trainer.fit(Model(flags), DataLoader([torch.ones(2)] * 20, batch_size=1))
    except SIGTERMException:
        print("preempted")
    expected = PREEMPTED + 1 if flags.reaches != "none" else 6
    assert trainer.global_step == expected, f"{trainer.global_step} steps were made, not {expected}"
    if flags.reaches != "none" and trainer.global_rank == 0:
        saved = torch.load(path, weights_only=True)
        weight = saved["state_dict"]["layer.weight"]
        reference = torch.full((1, 2), -RATE * expected)  # each step subtracts the rate times a gradient of ones
        assert torch.equal(weight.cpu(), reference), f"the checkpoint holds {weight}, not {reference}"
    print(f"oracle passed: {expected} steps, and the checkpoint of a preempted job holds them")


if __name__ == "__main__":
    main()
