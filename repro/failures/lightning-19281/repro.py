# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "lightning==2.1.4", "numpy<2"]
# ///
"""Lightning cannot resume training from a checkpoint that holds only the adapter of a frozen model.

``trainer.fit(ckpt_path=...)`` loads strictly and offers no way to say otherwise, so the frozen weights that
``on_save_checkpoint`` left out are missing keys.  Lightning 2.2.0 reads ``self.strict_loading = False``.
Upstream: https://github.com/Lightning-AI/pytorch-lightning/issues/19281

    torchrun --standalone --nproc-per-node 2 repro.py
"""

import argparse
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP


class Model(L.LightningModule):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__()
        self.content, self.losses, self.seen = flags.checkpoint, [], []
        self.strict_loading = flags.strict_loading == "on"
        self.base = torch.nn.Linear(128, 128).requires_grad_(False)
        self.adapter = torch.nn.Sequential(torch.nn.Linear(128, 2), torch.nn.Linear(2, 128))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.losses.append((self.base(batch) + self.adapter(batch)).square().mean())
        return self.losses[-1]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.adapter.parameters(), lr=0.01)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        if self.content != "whole":  # "adapter", or "renamed": the adapter under another name
            adapter = {name: value for name, value in checkpoint["state_dict"].items() if "adapter" in name}
            checkpoint["state_dict"] = {k.replace("adapter", self.content): v for k, v in adapter.items()}

    def keep_state(self) -> None:  # whole weights, this rank's optimizer state, counters
        adam = self.optimizers(use_pl_optimizer=False).state_dict()["state"]
        state = {f"{key} {i}": value for i, moments in adam.items() for key, value in moments.items()}
        with FSDP.summon_full_params(self.trainer.strategy.model):
            state.update(self.named_parameters(), steps=torch.tensor([self.global_step, self.current_epoch]))
            self.seen.append({name: value.detach().cpu().clone() for name, value in state.items()})

    on_train_start = on_train_end = keep_state


def fit(flags: argparse.Namespace, epochs: int, checkpoint: "Path | None" = None) -> Model:
    L.seed_everything(0)
    model, data = Model(flags), torch.utils.data.DataLoader(torch.randn(16, 128), batch_size=4)
    strategy = "ddp" if flags.strategy == "ddp" else FSDPStrategy(state_dict_type=flags.strategy[5:])
    size = int(os.environ["WORLD_SIZE"])
    trainer = L.Trainer(strategy=strategy, devices=size, max_epochs=epochs, barebones=True)
    trainer.fit(model, data, ckpt_path=checkpoint)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", choices=["ddp", "fsdp-full", "fsdp-sharded"], default="ddp")
    parser.add_argument("--checkpoint", choices=["adapter", "whole", "renamed"], default="adapter")
    parser.add_argument("--strict-loading", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    folder = Path(tempfile.gettempdir(), f"lightning-19281-{os.environ['TORCHELASTIC_RUN_ID']}")
    whole, half = fit(flags, epochs=2), fit(flags, epochs=1)
    half.trainer.save_checkpoint(folder / "half.ckpt")
    half.print("measured checkpoint_bytes =", sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
    try:
        with warnings.catch_warnings(record=True) as caught:
            resumed = fit(flags, epochs=2, checkpoint=folder / "half.ckpt")
    finally:  # no rank reads the checkpoint any more
        half.trainer.strategy.barrier()
        shutil.rmtree(folder, ignore_errors=True)
    (loaded, end), (fresh, expected), saved = resumed.seen, whole.seen, half.seen[1]
    half.print("measured weights_as_initialised =", sum(torch.equal(loaded[n], fresh[n]) for n in fresh))
    half.print("measured warnings_that_name_a_key =", sum("renamed." in str(w.message) for w in caught))
    different = [name for name in saved if not torch.equal(saved[name], loaded.get(name, torch.empty(0)))]
    assert not different, f"after loading, not as saved: {different}"
    end["losses"], expected["losses"] = torch.stack(half.losses + resumed.losses), torch.stack(whole.losses)
    error = max((end[name] - expected[name]).abs().max().item() for name in expected)
    assert error <= 1e-6, f"the uninterrupted run ends elsewhere: largest difference {error}"
    print("oracle passed: weights, optimizer state, counters, losses as in the uninterrupted run within 1e-6")


if __name__ == "__main__":
    main()
