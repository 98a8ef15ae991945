# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.14.0", "numpy"]
# ///
"""A prepared scheduler takes as many steps per update as there are ranks.

A schedule that is written in updates, as of one process, has run out after 1/N of the training on N ranks.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/accelerate/issues/2142
"""

import argparse
import json
import math
import os

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

UPDATES, BATCH, RATE = 8, 4, 0.1


def new_scheduler(name: str, optimizer: torch.optim.Optimizer, length: int) -> lr_scheduler.LRScheduler:
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, length)
    return lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / length))


def plain_rates(name: str) -> list[float]:
    """The rate of each update, and the one after the last, of a scheduler that steps once per update."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler, rates = new_scheduler(name, optimizer, UPDATES), []
    for _ in range(UPDATES):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*rates, optimizer.param_groups[0]["lr"]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--split-batches", choices=["off", "on"], default="off")
    parser.add_argument("--with-optimizer", choices=["on", "off"], default="on")
    parser.add_argument("--prepared", choices=["on", "off"], default="on")
    parser.add_argument("--accumulation", choices=["1", "2", "4"], default="1")
    parser.add_argument("--when", choices=["always", "update"], default="always")
    parser.add_argument("--length", choices=["updates", "times-ranks", "loader"], default="updates")
    parser.add_argument("--schedule", choices=["linear", "cosine"], default="linear")
    flags = parser.parse_args()
    ranks, accumulation, split = int(os.environ["WORLD_SIZE"]), int(flags.accumulation), flags.split_batches == "on"

    accelerator = Accelerator(
        gradient_accumulation_steps=accumulation,
        step_scheduler_with_optimizer=flags.with_optimizer == "on",
        dataloader_config=DataLoaderConfiguration(split_batches=split),
    )
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    batches = UPDATES * accumulation * (1 if split else ranks)
    loader = DataLoader(torch.ones(batches * BATCH, 1), batch_size=BATCH)
    length = {"updates": UPDATES, "times-ranks": UPDATES * ranks, "loader": len(loader)}[flags.length]
    inner = scheduler = new_scheduler(flags.schedule, optimizer, length)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    if flags.prepared == "on":
        scheduler = accelerator.prepare(scheduler)

    rates = []
    for batch in loader:
        with accelerator.accumulate(model):
            accelerator.backward(model(batch).mean())
            if accelerator.sync_gradients:
                rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if flags.when == "always" or accelerator.sync_gradients:
                scheduler.step()
            optimizer.zero_grad()
    rates.append(optimizer.param_groups[0]["lr"])

    expected = plain_rates(flags.schedule)
    print("measured updates =", json.dumps(len(rates) - 1))
    print("measured scheduler_steps =", json.dumps(inner.last_epoch))
    print("measured rate_at_the_end =", json.dumps(round(rates[-1], 5)))
    print("measured rates =", json.dumps([round(rate, 5) for rate in rates]))
    print("measured expected_rates =", json.dumps([round(rate, 5) for rate in expected]))
    assert len(rates) == len(expected)
    for update, (rate, right) in enumerate(zip(rates, expected)):
        close = math.isclose(rate, right, rel_tol=1e-9, abs_tol=1e-12)
        assert close, f"the rate after {update} of {UPDATES} updates is {rate:.5f}, with a plain scheduler {right:.5f}"
    print("oracle passed: the rate of each update is that of a plain scheduler in one process")
    accelerator.end_training()


if __name__ == "__main__":
    main()
