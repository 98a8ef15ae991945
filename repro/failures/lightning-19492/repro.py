# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "lightning==2.2.1", "numpy<2"]
# ///
"""Lightning's FSDP strategy cannot save a sharded checkpoint that holds weights only.

With ``state_dict_type="sharded"`` and ``ModelCheckpoint(save_weights_only=True)`` the first save fails with
``KeyError: 'optimizer_states'`` on every rank and leaves an empty checkpoint folder behind.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/19492
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import lightning as L
import torch
import torch.distributed.checkpoint as dcp
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.utils.data import DataLoader


class Model(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layers(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)

    def on_train_end(self) -> None:
        """Keep the whole model as it is after the last step, which is the step that is saved."""
        with FullyShardedDataParallel.summon_full_params(self.trainer.strategy.model):
            self.trained = {name: value.cpu().clone() for name, value in self.layers.named_parameters()}


def load_into_fresh_model(checkpoint: Path) -> dict[str, torch.Tensor]:
    model = Model()
    state = model.state_dict()
    if checkpoint.is_dir():
        dcp.load({"model": state}, storage_reader=dcp.FileSystemReader(checkpoint))
    else:
        state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    model.load_state_dict(state)
    return dict(model.layers.named_parameters())


def run(flags: argparse.Namespace, folder: Path) -> None:
    L.seed_everything(0)
    model = Model()
    weights_only = flags.save_weights_only == "on"
    saver = ModelCheckpoint(folder, "last", save_weights_only=weights_only, every_n_train_steps=2)
    strategy = FSDPStrategy(state_dict_type=flags.state_dict_type) if flags.strategy == "fsdp" else "ddp"
    size = int(os.environ["WORLD_SIZE"])
    trainer = L.Trainer(strategy=strategy, devices=size, max_steps=2, callbacks=[saver], logger=False)
    try:
        trainer.fit(model, DataLoader(torch.randn(8 * size, 8), batch_size=4))
    finally:
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            files = sorted(str(path.relative_to(folder)) + "/" * path.is_dir() for path in folder.rglob("*"))
            print("measured checkpoint_files =", json.dumps(files))
    loaded = load_into_fresh_model(folder / "last.ckpt")
    trainer.strategy.barrier()
    different = [name for name, value in model.trained.items() if not torch.equal(value, loaded[name])]
    assert loaded.keys() == model.trained.keys() and not different, f"loaded weights differ: {different}"
    print(f"oracle passed: all {len(loaded)} weights of the checkpoint equal the trained ones exactly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", choices=["fsdp", "ddp"], default="fsdp")
    parser.add_argument("--state-dict-type", choices=["sharded", "full"], default="sharded")
    parser.add_argument("--save-weights-only", choices=["on", "off"], default="on")
    folder = Path(tempfile.gettempdir(), f"lightning-19492-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
