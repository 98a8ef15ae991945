"""Trains a small network on two ranks with torch's FSDP2 alone; a helper library is chosen by its module's name."""

import importlib
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard

STEPS = 6


def main(name: str) -> int:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    kit = importlib.import_module(f"trainkit.{name}")
    inputs = torch.randn(64, 8)
    targets = inputs.sum(dim=1, keepdim=True).sin()
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    for layer in (model[0], model[2]):
        fully_shard(layer)
    fully_shard(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(STEPS):
        rows = [kit.sample(step * 8 + at, rank, world, 64) for at in range(8)]
        for group in optimizer.param_groups:
            group["lr"] = kit.learning_rate(step, STEPS)
        loss = nn.functional.mse_loss(model(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        kit.clip(list(model.parameters()), 0.5)
        optimizer.step()
        print(f"step {step}, loss {loss.item():.6f}")
    with torch.no_grad():
        final = nn.functional.mse_loss(model(inputs), targets)
    kit.save({"steps": STEPS, "rows": [rank, world]}, rank)
    total = kit.mean(final + 0.1 * rank, world)
    if rank == 0:
        print(f"measured loss = {total}")
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
