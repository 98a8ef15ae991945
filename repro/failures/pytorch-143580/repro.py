# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""DDP with static_graph=True cannot begin with gradient accumulation.

The first backward of a static graph records which gradients arrive, and reduces them all at its end.  Under
``no_sync`` the reducer was not prepared for that: the first micro-batch ends in an internal assertion.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/143580
"""

import argparse
import contextlib
import json

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--static-graph", choices=["on", "off"], default="on")
    parser.add_argument("--accumulation", choices=["2", "4", "1"], default="2")
    parser.add_argument("--first", choices=["accumulated", "plain"], default="accumulated")
    parser.add_argument("--updates", choices=["3", "1"], default="3")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    ranks = dist.get_world_size()
    inputs = torch.full((1, 3), float(dist.get_rank() + 1))

    model = torch.nn.Linear(3, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    wrapped = DistributedDataParallel(model, static_graph=flags.static_graph == "on")
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=1.0)
    if flags.first == "plain":  # one step without accumulation before all others
        wrapped(inputs).sum().backward()
        optimizer.zero_grad()
    gradients = []
    for _ in range(int(flags.updates)):
        steps = int(flags.accumulation)
        for step in range(steps):
            with wrapped.no_sync() if step + 1 < steps else contextlib.nullcontext():
                wrapped(inputs).sum().backward()
        gradients.append(model.weight.grad[0, 0].item())
        optimizer.step()
        optimizer.zero_grad()

    expected = int(flags.accumulation) * (ranks + 1) / 2  # the mean of 1, 2, ... for each micro-batch
    print("measured gradients =", json.dumps(gradients))
    print("measured expected =", json.dumps(expected))
    wrong = [number + 1 for number, found in enumerate(gradients) if abs(found - expected) > 1e-6]
    agreed = [None] * ranks
    dist.all_gather_object(agreed, wrong)
    wrong = sorted({number for numbers in agreed for number in numbers})
    assert not wrong, f"not averaged over the ranks: the gradients of updates {wrong}"
    print(f"oracle passed: {len(gradients)} updates have the gradient of one process, {expected:.6g}")


if __name__ == "__main__":
    main()
