# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""DistributedDataParallel with an unused parameter: the first update of each rank is its own.

A parameter that takes no part in the forward keeps its bucket from becoming complete, and the buckets after it wait
in vain.  Their gradients are never averaged, and backward returns as if they were.  The error that names the cause
comes with the second forward: after the first update, and never in a job that makes one update or saves it.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/112152
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


class Net(torch.nn.Module):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__()
        for name in ("used", "spare") if flags.spare_is == "last" else ("spare", "used"):
            self.add_module(name, torch.nn.Linear(3, 1, bias=False))
        torch.nn.init.zeros_(self.used.weight)
        self.spare.weight.requires_grad_(flags.spare != "frozen")
        self.touch = flags.spare == "times-zero"

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs = self.used(inputs)
        return outputs + 0.0 * self.spare.weight.sum() if self.touch else outputs


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--find-unused", choices=["off", "on"], default="off")
    parser.add_argument("--spare", choices=["trainable", "frozen", "times-zero"], default="trainable")
    parser.add_argument("--spare-is", choices=["last", "first"], default="last")
    parser.add_argument("--buckets", choices=["one", "one-each"], default="one")
    parser.add_argument("--steps", choices=["1", "2"], default="1")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    ranks = dist.get_world_size()

    everyone = [torch.full((1, 3), float(rank + 1)) for rank in range(ranks)]
    alone = Net(flags)  # the same updates in one process
    reference = torch.optim.SGD(alone.parameters(), lr=1.0)
    model = Net(flags)
    size = 25 if flags.buckets == "one" else 1e-6
    wrapped = DistributedDataParallel(model, find_unused_parameters=flags.find_unused == "on", bucket_cap_mb=size)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=1.0)
    for _ in range(int(flags.steps)):
        optimizer.zero_grad()
        wrapped(everyone[dist.get_rank()]).sum().backward()
        optimizer.step()
        reference.zero_grad()
        (alone(torch.cat(everyone)).sum() / ranks).backward()
        reference.step()

    found, expected = model.used.weight.detach(), alone.used.weight.detach()
    print("measured weight =", json.dumps(found[0, 0].item()))
    print("measured expected =", json.dumps(expected[0, 0].item()))
    spread = [torch.zeros_like(found) for _ in range(ranks)]
    dist.all_gather(spread, found.contiguous())
    apart = (spread[0] - spread[-1]).abs().max().item()
    print("measured ranks_differ_by =", json.dumps(apart))
    difference = (found - expected).abs().max().item()
    assert max(difference, apart) < 1e-6, f"gradients were not averaged: weights of the ranks differ by {apart:.3g}"
    print(f"oracle passed: the weights equal those of one process, difference {difference:.1e}")


if __name__ == "__main__":
    main()
