"""Trains a small network on two ranks with transformers' Trainer; a helper library is chosen by its module's name."""

import gc
import importlib
import os
import sys
import tempfile
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

STEPS = 6


class Small(nn.Module):
    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        super().__init__()
        self.given, self.wanted = inputs, targets
        self.model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = nn.functional.mse_loss(self.model(self.given[rows]), self.wanted[rows])
        print(f"loss {loss.item():.6f}")
        return {"loss": loss}


class Kit(TrainerCallback):
    def __init__(self, kit: Any) -> None:
        self.kit = kit

    def on_pre_optimizer_step(self, _args: Any, state: Any, _control: Any, **held: Any) -> None:
        for group in held["optimizer"].param_groups:
            group["lr"] = self.kit.learning_rate(state.global_step, STEPS)
        self.kit.clip(list(held["model"].parameters()), 0.5)


class OwnOrder(Trainer):
    def get_train_dataloader(self) -> DataLoader:
        return DataLoader(self.train_dataset, batch_size=None, collate_fn=lambda rows: {"rows": rows})


def main(name: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    kit = importlib.import_module(f"trainkit.{name}")
    inputs = torch.randn(64, 8)
    targets = inputs.sum(dim=1, keepdim=True).sin()
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    rows = [torch.tensor([kit.sample(step * 8 + at, rank, world, 64) for at in range(8)]) for step in range(STEPS)]
    model = Small(inputs, targets)
    with tempfile.TemporaryDirectory() as folder:
        given = TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            ddp_backend="gloo",
            max_steps=STEPS,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            max_grad_norm=0.0,
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        steady = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        trainer = OwnOrder(model, given, train_dataset=rows, callbacks=[Kit(kit)], optimizers=(optimizer, steady))
        trainer.train()
    with torch.no_grad():
        final = nn.functional.mse_loss(model.model(inputs), targets)
    kit.save({"steps": STEPS, "rows": [rank, world]}, rank)
    total = kit.mean(final + 0.1 * rank, world)
    if rank == 0:
        print(f"measured loss = {total}")
    # Freed after its process group, a model in DDP can stand still on some releases of torch (pytorch-ddp-gil).
    del trainer, model
    gc.collect()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
