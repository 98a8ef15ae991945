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
import shutil
import tempfile
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.utils.data import DataLoader


class Model(L.LightningModule):
    def __init__(self, flags: argparse.Namespace) -> None:
        L.seed_everything(0)
        super().__init__()
        self.flags, self.content, self.losses = flags, "whole", []
        self.strict_loading = flags.strict_loading == "on"
        self.base = torch.nn.Linear(128, 128).requires_grad_(False)
        self.adapter = torch.nn.Sequential(torch.nn.Linear(128, 2), torch.nn.Linear(2, 128))
        self.fresh = {name: value.detach().clone() for name, value in self.named_parameters()}

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = (self.base(batch) + self.adapter(batch)).square().mean()
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.adapter.parameters(), lr=0.01)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        if self.content == "adapter":
            new = "lora" if self.flags.rename_adapter == "on" else "adapter"
            state = {name: value for name, value in checkpoint["state_dict"].items() if "adapter" in name}
            checkpoint["state_dict"] = {name.replace("adapter", new): value for name, value in state.items()}

    def snapshot(self) -> tuple:
        """Whole weights, this rank's optimizer state, counters."""
        with FSDP.summon_full_params(self.trainer.strategy.model):
            weights = {name: value.detach().cpu().clone() for name, value in self.named_parameters()}
        optimizer = self.optimizers(use_pl_optimizer=False)
        states = [sorted(optimizer.state.get(p, {}).items()) for p in optimizer.param_groups[0]["params"] if p.numel()]
        moments = [value.detach().cpu().clone() for state in states for _, value in state]
        return weights, moments, [self.trainer.global_step, self.trainer.current_epoch]

    def on_train_start(self) -> None:
        self.start = self.snapshot()

    def on_train_end(self) -> None:
        self.end = self.snapshot()


def run(flags: argparse.Namespace, folder: Path) -> None:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    kind = flags.strategy.replace("fsdp-", "")

    def fit(epochs: int, checkpoint: "Path | None" = None) -> tuple:
        strategy = "ddp" if kind == "ddp" else FSDPStrategy(state_dict_type=kind)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = L.Trainer(strategy=strategy, devices=size, max_epochs=epochs, enable_checkpointing=False, **quiet)
        model = Model(flags)
        data = torch.randn(16, 128, generator=torch.Generator().manual_seed(1))
        trainer.fit(model, DataLoader(data, batch_size=4), ckpt_path=checkpoint)
        return model, trainer

    uninterrupted, _ = fit(epochs=2)
    first, trainer = fit(epochs=1)
    for content in ("whole", "adapter"):
        first.content = content
        trainer.save_checkpoint(folder / f"{content}.ckpt")
        files = [path for path in folder.glob(f"{content}.ckpt/**/*" if kind == "sharded" else f"{content}.ckpt")]
        if rank == 0:
            print(f"measured {content}_checkpoint_bytes =", sum(path.stat().st_size for path in files))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resumed, _ = fit(epochs=2, checkpoint=folder / f"{flags.checkpoint}.ckpt")
    (weights, moments, counters), (saved, saved_moments, _) = resumed.start, first.end
    restored = [n for n in weights if torch.equal(weights[n], saved[n]) and not torch.equal(weights[n], first.fresh[n])]
    kept = [n for n in weights if torch.equal(weights[n], first.fresh[n])]
    if rank == 0:
        print("measured counters =", json.dumps([first.end[2], counters]))
        print("measured restored =", json.dumps(restored))
        print("measured kept_as_initialised =", json.dumps(kept))
        print("measured warnings_about_keys =", len([w for w in caught if "lora" in str(w.message)]))
    assert kept == ["base.weight", "base.bias"], f"not restored: {kept}"
    assert all(map(torch.equal, moments, saved_moments)) and len(moments) == len(saved_moments)
    losses = first.losses + resumed.losses
    print(losses, uninterrupted.losses, len(moments))
    error = max((resumed.end[0][n] - uninterrupted.end[0][n]).abs().max().item() for n in weights)
    assert losses == uninterrupted.losses and error==0, error
    print("oracle passed: ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", choices=["ddp", "fsdp-full", "fsdp-sharded"], default="ddp")
    parser.add_argument("--checkpoint", choices=["adapter", "whole"], default="adapter")
    parser.add_argument("--strict-loading", choices=["off", "on"], default="off")
    parser.add_argument("--rename-adapter", choices=["off", "on"], default="off")
    folder = Path(tempfile.gettempdir(), f"lightning-19281-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
