# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "lightning==2.5.4", "numpy<2"]
# ///
"""Under Lightning's mixed precision a forward pass in torch.no_grad() stops the weights from being trained.

Autocast caches the weights that it casts. Those cast under ``no_grad`` have no gradient, and the training forward
pass in the same step takes them from the cache: the weights of every linear layer never move, without a word.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/20644
"""

import argparse
import json
import os

import lightning as L
import torch
from torch.utils.data import DataLoader

STEPS = 4
TOLERANCE = 0.1  # relative error of the whole movement; bfloat16 holds 8 bits


class Model(L.LightningModule):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__()
        self.flags = flags
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8))
        self.scale = torch.nn.Parameter(torch.ones(8))  # float32, never cast: the loss always has a gradient

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        target = torch.zeros_like(batch)
        if self.flags.first_forward == "no-grad":
            with torch.no_grad():
                target = self.layers(batch)
        elif self.flags.first_forward == "detached":
            target = self.layers(batch).detach()
        if self.flags.clear_cache == "on":
            torch.clear_autocast_cache()
        return (self.layers(batch) * self.scale - 0.5 * target.float() - 1).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(flags: argparse.Namespace, precision: str) -> dict[str, torch.Tensor]:
    """How far every parameter moves from its initial value."""
    L.seed_everything(0)
    model = Model(flags)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    size = int(os.environ["WORLD_SIZE"])
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    strategy = "ddp_find_unused_parameters_true" if size > 1 else "auto"
    trainer = L.Trainer(devices=size, strategy=strategy, precision=precision, max_steps=STEPS, **quiet)
    trainer.fit(model, DataLoader(torch.randn(STEPS * 4 * size, 8), batch_size=4))
    return {name: value.detach().cpu() - before[name] for name, value in model.named_parameters()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-forward", choices=["no-grad", "detached", "none"], default="no-grad")
    parser.add_argument("--precision", choices=["bf16-mixed", "32-true"], default="bf16-mixed")
    parser.add_argument("--clear-cache", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    reference, moved = train(flags, "32-true"), train(flags, flags.precision)
    frozen = sorted(name for name, value in moved.items() if not value.any())
    error = {name: ((moved[name] - value).norm() / value.norm()).item() for name, value in reference.items()}
    if os.environ["RANK"] == "0":
        print("measured parameters_that_never_move =", json.dumps(frozen))
        print("measured relative_error_of_movement =", json.dumps({name: round(e, 4) for name, e in error.items()}))
        print("measured largest_relative_error =", json.dumps(max(error.values())))
    assert not frozen, f"after {STEPS} steps these parameters have not moved: {frozen}"
    assert max(error.values()) < TOLERANCE, f"the movement differs from that in float32: {error}"
    print(f"oracle passed: all parameters move as in float32, relative error below {TOLERANCE}")


if __name__ == "__main__":
    main()
