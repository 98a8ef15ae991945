# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "numpy<2"]
# ///
"""DDP and accumulation: a parameter that only an earlier micro-batch uses keeps its local gradient.

With ``find_unused_parameters=True`` the last micro-batch of an update, the one that is reduced, decides which
parameters were used.  One that took part in an earlier micro-batch alone, under ``no_sync``, counts as unused on all
ranks: its gradient is not averaged, and the optimizer applies another one on each rank.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/69031
"""

import argparse
import contextlib
import json

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

LAYERS = {"first-only": [["both", "some"], ["both"]], "last-only": [["both"], ["both", "some"]]}
LAYERS["both"] = [["both", "some"], ["both", "some"]]


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = torch.nn.Linear(3, 1, bias=False)
        self.some = torch.nn.Linear(3, 1, bias=False)
        for parameter in self.parameters():
            torch.nn.init.zeros_(parameter)

    def forward(self, inputs: torch.Tensor, layers: list) -> torch.Tensor:
        return sum(getattr(self, name)(inputs) for name in layers)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--used-in", choices=["first-only", "last-only", "both"], default="first-only")
    parser.add_argument("--no-sync", choices=["on", "off"], default="on")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    ranks = dist.get_world_size()

    model, alone = Net(), Net()
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)
    batches = LAYERS[flags.used_in]
    for number, layers in enumerate(batches):
        last = number + 1 == len(batches)
        with contextlib.nullcontext() if last or flags.no_sync == "off" else wrapped.no_sync():
            wrapped(torch.full((1, 3), float(dist.get_rank() + 1)), layers).sum().backward()
        for rank in range(ranks):  # the same samples in one process
            (alone(torch.full((1, 3), float(rank + 1)), layers).sum() / ranks).backward()

    wrong = []
    for (name, parameter), reference in zip(model.named_parameters(), alone.parameters()):
        found, expected = parameter.grad, reference.grad
        print(f"measured gradient_{name.split('.')[0]} =", json.dumps(found[0, 0].item()))
        print(f"measured expected_{name.split('.')[0]} =", json.dumps(expected[0, 0].item()))
        if not torch.allclose(found, expected, rtol=0, atol=1e-6):
            wrong.append(name)
    agreed = [None] * ranks
    dist.all_gather_object(agreed, wrong)
    wrong = sorted({name for names in agreed for name in names})
    assert not wrong, f"not averaged over the ranks: {', '.join(wrong)}"
    print("oracle passed: the gradients of both parameters equal those of one process within 1e-06")


if __name__ == "__main__":
    main()
