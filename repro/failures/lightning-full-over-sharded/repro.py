# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "lightning==2.2.1", "numpy<2"]
# ///
"""Lightning's FSDP strategy removes a sharded checkpoint on every rank at once, so that ranks disturb each other.

A full checkpoint that is saved where a sharded one lies replaces it.  Every rank removes the folder by itself; a rank
that finds a file gone in the meantime fails with ``FileNotFoundError``.  It depends on timing: some runs pass.

    torchrun --standalone --nproc-per-node 2 repro.py
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import lightning as L
import torch
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


def trained(state_dict_type: str) -> L.Trainer:
    """A trainer after one step."""
    L.seed_everything(0)
    size = int(os.environ["WORLD_SIZE"])
    trainer = L.Trainer(
        strategy=FSDPStrategy(state_dict_type=state_dict_type),
        devices=size,
        max_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(Model(), DataLoader(torch.randn(4 * size, 8), batch_size=4))
    return trainer


def run(flags: argparse.Namespace, folder: Path) -> None:
    place = folder / "last.ckpt"
    if flags.there == "sharded":
        trained("sharded").save_checkpoint(place)
    trainer = trained("full")
    with FullyShardedDataParallel.summon_full_params(trainer.strategy.model):
        expected = {name: value.cpu().clone() for name, value in trainer.lightning_module.layers.named_parameters()}
    trainer.strategy.barrier()
    print("measured is_folder_before =", json.dumps(place.is_dir()))
    trainer.strategy.barrier()
    trainer.save_checkpoint(place)
    trainer.strategy.barrier()
    loaded = torch.load(place, map_location="cpu", weights_only=False)["state_dict"]
    trainer.strategy.barrier()
    different = [name for name, value in expected.items() if not torch.equal(value, loaded[f"layers.{name}"])]
    assert not different, f"loaded weights differ: {different}"
    print(f"oracle passed: all {len(expected)} weights of the full checkpoint equal the trained ones exactly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--there", choices=["sharded", "nothing"], default="sharded")
    folder = Path(tempfile.gettempdir(), f"full-over-sharded-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
