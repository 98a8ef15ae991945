# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "lightning==2.1.4", "numpy<2"]
# ///
"""Lightning cannot resume training from a checkpoint that holds only the adapter of a frozen model.

``trainer.fit(ckpt_path=...)`` loads strictly and offers no way to say otherwise, so the frozen weights that
``on_save_checkpoint`` left out are missing keys.  Lightning 2.2.0 reads ``self.strict_loading = False``.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/19281
"""

import argparse
import json
import os
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP


class Model(L.LightningModule):
    def __init__(self, strict: bool) -> None:
        super().__init__()
        self.strict_loading, self.content, self.losses, self.seen = strict, "whole", {}, []
        self.base = torch.nn.Linear(128, 128).requires_grad_(False)
        self.adapter = torch.nn.Sequential(torch.nn.Linear(128, 2), torch.nn.Linear(2, 128))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = (self.base(batch) + self.adapter(batch)).square().mean()
        self.losses[f"loss of step {self.global_step}"] = loss.detach().cpu()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.adapter.parameters(), lr=0.01)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        if self.content != "whole":
            adapter = {name: value for name, value in checkpoint["state_dict"].items() if "adapter" in name}
            new = "lora" if self.content == "renamed" else "adapter"
            checkpoint["state_dict"] = {name.replace("adapter", new): value for name, value in adapter.items()}

    def snapshot(self) -> None:
        """Keep the whole weights, this rank's optimizer state and the counters."""
        adam = self.optimizers(use_pl_optimizer=False)
        owned = [parameter for parameter in adam.param_groups[0]["params"] if parameter.numel()]
        state = {f"{key} {i}": value for i, p in enumerate(owned) for key, value in adam.state.get(p, {}).items()}
        state["counters"] = torch.tensor([self.trainer.global_step, self.trainer.current_epoch])
        with FSDP.summon_full_params(self.trainer.strategy.model):
            state.update(self.named_parameters())
            self.seen.append({name: value.detach().cpu().clone() for name, value in state.items()})

    on_train_start = on_train_end = snapshot


def fit(flags: argparse.Namespace, epochs: int, checkpoint: "Path | None" = None) -> tuple:
    L.seed_everything(0)
    model, data = Model(flags.strict_loading == "on"), torch.randn(16, 128)
    strategy = FSDPStrategy(state_dict_type=flags.strategy[5:]) if "fsdp" in flags.strategy else "ddp"
    trainer = L.Trainer(strategy=strategy, devices=int(os.environ["WORLD_SIZE"]), max_epochs=epochs, barebones=True)
    trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=4), ckpt_path=checkpoint)
    return model, trainer


def run(flags: argparse.Namespace, folder: Path) -> None:
    reference, _ = fit(flags, epochs=2)
    half, trainer = fit(flags, epochs=1)
    for half.content in ("whole", "adapter", "renamed"):
        path = folder / half.content
        trainer.save_checkpoint(path)
        size = sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
        trainer.print(f"measured {half.content}_checkpoint_bytes = {size}")
    with warnings.catch_warnings(record=True) as caught:
        resumed, _ = fit(flags, epochs=2, checkpoint=folder / flags.checkpoint)
    loaded, fresh, saved = resumed.seen[0], reference.seen[0], half.seen[1]
    trainer.print("measured warnings_that_name_a_key =", sum("lora." in str(warning.message) for warning in caught))
    trainer.print("measured left_as_initialised =", json.dumps([n for n in fresh if torch.equal(fresh[n], loaded[n])]))
    different = [name for name in saved if not torch.equal(saved[name], loaded[name])]
    assert loaded.keys() == saved.keys() and not different, f"not as saved after loading: {different}"
    got, expected = [{**run.seen[1], **run.losses} for run in (resumed, reference)]
    error = max((resumed.end[n] - expected[n]).abs().max().item() for n in expected)
    assert error <= 1e-6, f"largest difference from the uninterrupted run: {error}"
    print("oracle passed: ")
