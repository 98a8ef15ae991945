# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "lightning==2.6.6"]
# ///
"""Lightning's ModelCheckpoint(train_time_interval=...) writes no checkpoint under manual optimization.

The branch for manual optimization looks at ``every_n_train_steps`` only. A job that shall be saved every hour runs
for days without a checkpoint and without a warning.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/Lightning-AI/pytorch-lightning/pull/21699
"""

import argparse
import json
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from torch.utils.data import DataLoader

STEPS = 5


class Model(L.LightningModule):
    def __init__(self, manual: bool) -> None:
        super().__init__()
        self.automatic_optimization = not manual
        self.layer = torch.nn.Linear(4, 4)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = self.layer(batch).square().mean()
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def run(flags: argparse.Namespace, folder: Path) -> None:
    L.seed_everything(0)
    model, size = Model(flags.optimization == "manual"), int(os.environ["WORLD_SIZE"])
    every_step = {"train_time_interval": timedelta(microseconds=1)}
    if flags.trigger == "steps":
        every_step = {"every_n_train_steps": 1}
    saver = ModelCheckpoint(folder, "{step}", save_top_k=-1, save_last=flags.save_last == "on", **every_step)
    found: list[str] = []
    watch = LambdaCallback(on_train_end=lambda *_: found.extend(sorted(path.name for path in folder.rglob("*.ckpt"))))
    trainer = L.Trainer(devices=size, callbacks=[watch, saver], logger=False, max_steps=STEPS)
    trainer.fit(model, DataLoader(torch.randn(STEPS * size, 4)))
    trainer.strategy.barrier()
    if trainer.is_global_zero:
        print("measured checkpoints_while_training =", json.dumps(found))
        print("measured checkpoints =", json.dumps(sorted(path.name for path in folder.rglob("*.ckpt"))))
    missing = [step for step in range(1, STEPS + 1) if f"step={step}.ckpt" not in found]
    assert not missing, f"due after each of {STEPS} steps, no checkpoint after steps {missing}"
    checkpoint = torch.load(folder / f"step={STEPS}.ckpt", map_location="cpu", weights_only=True)
    fresh = Model(manual=True)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert all(torch.equal(a, b.cpu()) for a, b in zip(fresh.parameters(), model.parameters())), "weights differ"
    assert checkpoint["global_step"] == STEPS, f"step={STEPS}.ckpt is of step {checkpoint['global_step']}"
    trainer.strategy.barrier()
    print(f"oracle passed: a checkpoint after each of {STEPS} steps; the newest loads and equals the model exactly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--optimization", choices=["manual", "automatic"], default="manual")
    parser.add_argument("--trigger", choices=["time", "steps"], default="time")
    parser.add_argument("--save-last", choices=["off", "on"], default="off")
    folder = Path(tempfile.gettempdir(), f"lightning-21699-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
