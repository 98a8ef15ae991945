# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""DDP: a forward pass that does not go through the wrapper leaves each rank with its own gradients.

DDP gets ready to reduce at the end of its own ``forward``.  A loss that comes from ``wrapper.module(...)``, or from
another method of the wrapped module, has gradients that nobody averages, and nothing is raised.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/trl/issues/7245
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1, bias=False)
        torch.nn.init.zeros_(self.layer.weight)

    def score(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layer(inputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.score(inputs)


def scores(wrapper: DistributedDataParallel, call: str, inputs: torch.Tensor) -> torch.Tensor:
    if call == "module":
        return wrapper.module(inputs)
    if call == "method":
        return wrapper.module.score(inputs)
    return wrapper(inputs) + wrapper.module.score(inputs) if call == "both" else wrapper(inputs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--call", choices=["module", "method", "both", "wrapper"], default="module")
    parser.add_argument("--find-unused", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    ranks, inputs = dist.get_world_size(), torch.full((1, 3), float(dist.get_rank() + 1))

    wrapper = DistributedDataParallel(Net(), find_unused_parameters=flags.find_unused == "on")
    optimizer = torch.optim.SGD(wrapper.parameters(), lr=1.0)
    scores(wrapper, flags.call, inputs).sum().backward()
    found = wrapper.module.layer.weight.grad[0, 0].item()
    expected = (2 if flags.call == "both" else 1) * (ranks + 1) / 2  # the mean over the ranks
    optimizer.step()

    weights = [None] * ranks
    dist.all_gather_object(weights, wrapper.module.layer.weight[0, 0].item())
    print("measured gradient =", json.dumps(found))
    print("measured expected =", json.dumps(expected))
    print("measured spread_of_weights =", json.dumps(max(weights) - min(weights)))
    wrong = max(abs(weight + expected) for weight in weights)
    assert wrong < 1e-6, f"gradients were not averaged: after one step the weights of the ranks are {weights}"
    print("oracle passed: gradients are the mean over the ranks, and all ranks have the same weights")


if __name__ == "__main__":
    main()
