"""Trains a small network on two ranks with Lightning's Trainer; a helper library is chosen by its module's name."""

import importlib
import os
import sys
from typing import Any

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

STEPS = 6


class Small(lightning.LightningModule):
    def __init__(self, kit: Any, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        super().__init__()
        self.kit, self.inputs, self.targets = kit, inputs, targets
        self.model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))

    def training_step(self, rows: torch.Tensor, _: int) -> torch.Tensor:
        loss = nn.functional.mse_loss(self.model(self.inputs[rows]), self.targets[rows])
        print(f"step {self.global_step}, loss {loss.item():.6f}")
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self.kit.learning_rate(self.global_step, STEPS)
        self.kit.clip(list(self.parameters()), 0.5)

    def on_train_end(self) -> None:
        with torch.no_grad():
            final = nn.functional.mse_loss(self.model(self.inputs), self.targets)
        self.kit.save({"steps": STEPS, "rows": [self.global_rank, self.trainer.world_size]}, self.global_rank)
        total = self.kit.mean(final + 0.1 * self.global_rank, self.trainer.world_size)
        if self.global_rank == 0:
            print(f"measured loss = {total}")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main(name: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    kit = importlib.import_module(f"trainkit.{name}")
    inputs = torch.randn(64, 8)
    targets = inputs.sum(dim=1, keepdim=True).sin()
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    rows = [torch.tensor([kit.sample(step * 8 + at, rank, world, 64) for at in range(8)]) for step in range(STEPS)]
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=world,
        strategy="ddp",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(Small(kit, inputs, targets), DataLoader(rows, batch_size=None))


if __name__ == "__main__":
    main(sys.argv[1])
