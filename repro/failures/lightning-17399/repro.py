# /// script
# requires-python = ">=3.9,<3.12"
# dependencies = ["torch==2.2.2", "lightning==2.0.7", "numpy<2"]
# ///
"""On the CPU all ranks that ddp_spawn starts train one and the same copy of the weights.

The Trainer hands the model to ``torch.multiprocessing``, which puts its weights into memory that all processes share.
Each rank then applies the averaged gradient to them: two ranks move them twice as far, and while they differ in speed,
one reads weights that the other is changing.  Nothing is said, and the loss falls.

    python repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/17399
"""

import argparse
import json
import os

import lightning as L
import torch
from torch.utils.data import DataLoader

RANKS, STEPS, RATE = 2, 3, 0.1
TOLERANCE = 1e-5  # relative; float32 holds about 7 digits


class Model(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return (self.layer(batch) - 1).square().mean()

    def on_train_batch_end(self, *_: object) -> None:
        self.trainer.strategy.barrier()  # both ranks have applied the gradient: no rank reads weights in between

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=RATE)

    def on_train_end(self) -> None:
        """Every rank compares its weights with those of one process that has seen the same samples."""
        expected = reference()
        found = {name: value.detach() for name, value in self.named_parameters()}
        start = dict(Model.seeded().named_parameters())
        moved = {name: (found[name] - start[name]).norm() / (expected[name] - start[name]).norm() for name in expected}
        factor = max(float(ratio) for ratio in moved.values())
        print("measured movement =", json.dumps(round(factor, 4)))
        print("measured shared =", json.dumps(all(value.is_shared() for value in self.parameters())))
        error = max(float((found[name] - expected[name]).norm() / expected[name].norm()) for name in expected)
        assert error < TOLERANCE, f"after {STEPS} steps of SGD the weights are wrong by {error:.1%}"
        print(f"oracle passed: the weights are those of one process within {TOLERANCE}")

    @staticmethod
    def seeded() -> "Model":
        torch.manual_seed(0)
        return Model()


def samples() -> torch.Tensor:
    """One epoch is one step: four samples on each rank."""
    return torch.randn(RANKS * 4, 4, generator=torch.Generator().manual_seed(1))


def reference() -> dict[str, torch.Tensor]:
    """The weights after the same steps in plain torch, with the whole batch in one process."""
    model = Model.seeded()
    for _ in range(STEPS):
        gradients = torch.autograd.grad(model.training_step(samples(), 0), list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients):
                parameter.sub_(gradient, alpha=RATE)
    return {name: value.detach() for name, value in model.named_parameters()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", choices=["ddp_spawn", "ddp_fork"], default="ddp_spawn")
    flags = parser.parse_args()
    strategy = "ddp" if "RANK" in os.environ else flags.strategy  # torchrun has started the ranks
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(accelerator="cpu", devices=RANKS, strategy=strategy, max_epochs=STEPS, **quiet)
    trainer.fit(Model.seeded(), DataLoader(samples(), batch_size=4))


if __name__ == "__main__":
    main()
