# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.6.0", "lightning==2.5.2", "numpy<2.3"]
# ///
"""Lightning's ModelCheckpoint(save_last=True) writes no checkpoint at all where there is no validation.

With ``check_val_every_n_epoch`` other than 1 the callback leaves saving to the end of validation. A job without
validation data trains to its end, prints no warning, and leaves an empty folder.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/Lightning-AI/pytorch-lightning/pull/20960
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from torch.utils.data import DataLoader

STEPS = 8


class Model(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.ckpt"))


def run(flags: argparse.Namespace, folder: Path) -> None:
    L.seed_everything(0)
    model, size = Model(), int(os.environ["WORLD_SIZE"])
    while_training: list[str] = []
    watch = LambdaCallback(on_train_end=lambda *_: while_training.extend(names(folder)))
    by_steps = flags.check_val_every_n_epoch == "none"
    every, interval = (None, 4) if by_steps else (int(flags.check_val_every_n_epoch), None)
    at_epoch_end = True if flags.save_on_train_epoch_end == "on" else None
    saver = ModelCheckpoint(folder, save_last=True, save_on_train_epoch_end=at_epoch_end)
    options = {"check_val_every_n_epoch": every, "val_check_interval": interval, "max_epochs": 4}
    trainer = L.Trainer(devices=size, callbacks=[watch, saver], logger=False, **options)
    data = DataLoader(torch.randn(2 * size, 4))
    trainer.fit(model, data, data if flags.validation == "on" else None)
    trainer.strategy.barrier()
    if trainer.is_global_zero:
        print("measured checkpoints_while_training =", json.dumps(while_training))
        print("measured checkpoints =", json.dumps(names(folder)))
    last = folder / "last.ckpt"
    assert last.exists(), f"no last.ckpt after {trainer.global_step} steps"
    checkpoint = torch.load(last, map_location="cpu", weights_only=True)
    fresh = Model()
    fresh.load_state_dict(checkpoint["state_dict"])
    same = all(torch.equal(a, b.cpu()) for a, b in zip(fresh.parameters(), model.parameters()))
    assert same and checkpoint["global_step"] == STEPS, f"last.ckpt is of step {checkpoint['global_step']}"
    trainer.strategy.barrier()
    print(f"oracle passed: last.ckpt loads, and equals the model after all {STEPS} steps exactly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--validation", choices=["off", "on"], default="off")
    parser.add_argument("--check-val-every-n-epoch", choices=["2", "none", "1"], default="2")
    parser.add_argument("--save-on-train-epoch-end", choices=["unset", "on"], default="unset")
    folder = Path(tempfile.gettempdir(), f"lightning-20960-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        folder.mkdir(exist_ok=True)
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
