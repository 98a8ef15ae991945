# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "lightning==2.6.6"]
# ///
"""Lightning's ModelCheckpoint(save_last=True) stops refreshing last.ckpt when the monitored metric gets worse.

``last.ckpt`` is written only in epochs in which another checkpoint is written. A job resumed from it goes back to
the best epoch; with ``save_top_k=0`` there is no ``last.ckpt`` until training ends.

    torchrun --standalone --nproc-per-node 1 repro.py
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

EPOCHS, STEPS_PER_EPOCH = 4, 2


class Model(L.LightningModule):
    def __init__(self, metric: str = "worse") -> None:
        super().__init__()
        self.layer, self.sign = torch.nn.Linear(4, 4), 1.0 if metric == "worse" else -1.0

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val_loss", self.sign * self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def last_step(folder: Path) -> int:
    """The optimizer step that last.ckpt holds, 0 where there is none."""
    last = folder / "last.ckpt"
    return torch.load(last, map_location="cpu", weights_only=True)["global_step"] if last.exists() else 0


def run(flags: argparse.Namespace, folder: Path) -> None:
    L.seed_everything(0)
    model, size = Model(flags.metric), int(os.environ["WORLD_SIZE"])
    found = {}  # after each epoch: steps done -> step of last.ckpt, as a killed job would find it
    look = lambda trainer, _: found.update({trainer.global_step: last_step(folder)})  # noqa: E731
    watch = LambdaCallback(on_train_epoch_start=look, on_train_end=look)
    options = {"save_top_k": int(flags.save_top_k), "every_n_epochs": int(flags.every_n_epochs)}
    options["monitor"] = None if flags.monitor == "none" else "val_loss"
    savers = [ModelCheckpoint(folder, save_last=flags.second_callback == "off", **options)]
    if flags.second_callback == "on":
        savers.append(ModelCheckpoint(folder, "last", monitor="step", mode="max", enable_version_counter=False))
    trainer = L.Trainer(devices=size, callbacks=[watch, *savers], logger=False, max_epochs=EPOCHS)
    data = DataLoader(torch.randn(STEPS_PER_EPOCH * size, 4))
    trainer.fit(model, data, data)
    trainer.strategy.barrier()
    if trainer.is_global_zero:
        print("measured steps_done_and_steps_in_last =", json.dumps(sorted(found.items())))
        print("measured steps_in_last_at_the_end =", json.dumps(last_step(folder)))
        print("measured checkpoints =", json.dumps(sorted(path.name for path in folder.rglob("*.ckpt"))))
    lost = max(done - saved for done, saved in found.items())
    assert lost == 0, f"last.ckpt is up to {lost} steps old; (steps done, steps in it): {sorted(found.items())}"
    fresh = Model()
    fresh.load_state_dict(torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)["state_dict"])
    assert all(torch.equal(a, b.cpu()) for a, b in zip(fresh.parameters(), model.parameters())), "weights differ"
    trainer.strategy.barrier()
    print(f"oracle passed: last.ckpt is up to date after each of {EPOCHS} epochs; its weights are the trained ones")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metric", choices=["worse", "better"], default="worse")
    parser.add_argument("--monitor", choices=["val_loss", "none"], default="val_loss")
    parser.add_argument("--save-top-k", choices=["1", "0", "-1"], default="1")
    parser.add_argument("--every-n-epochs", choices=["1", "2"], default="1")
    parser.add_argument("--second-callback", choices=["off", "on"], default="off")
    folder = Path(tempfile.gettempdir(), f"lightning-save-last-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
