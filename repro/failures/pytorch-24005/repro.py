# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""DDP, unused parameters and reentrant checkpointing: "marked as ready twice".

Reentrant checkpointing runs the backward of a layer as a graph of its own, which the search for unused parameters does
not see: the layer's parameters count as unused, are marked ready at once, and again when their gradients come.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/24005
"""

import argparse
import contextlib
import json

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint


class Net(torch.nn.Module):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__()
        self.flags = flags
        self.first, self.layer = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        if flags.spare == "on":
            self.spare = torch.nn.Linear(3, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.first(inputs)
        for _ in range(int(self.flags.calls)):
            if self.flags.checkpointing == "off":
                hidden = self.layer(hidden)
            else:
                hidden = checkpoint(self.layer, hidden, use_reentrant=self.flags.checkpointing == "reentrant")
        return hidden


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpointing", choices=["reentrant", "not-reentrant", "off"], default="reentrant")
    parser.add_argument("--find-unused", choices=["on", "off"], default="on")
    parser.add_argument("--static-graph", choices=["off", "on"], default="off")
    parser.add_argument("--calls", choices=["1", "2"], default="1")
    parser.add_argument("--spare", choices=["off", "on"], default="off")
    parser.add_argument("--accumulation", choices=["1", "2"], default="1")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    ranks = dist.get_world_size()
    everyone = torch.arange(1.0, 1.0 + 3 * ranks).view(ranks, 1, 3) / 10

    torch.manual_seed(0)
    model = Net(flags)
    alone = Net(argparse.Namespace(**{**vars(flags), "checkpointing": "off"}))
    alone.load_state_dict(model.state_dict())
    options = {"find_unused_parameters": flags.find_unused == "on", "static_graph": flags.static_graph == "on"}
    wrapped = DistributedDataParallel(model, **options)
    worst = 0.0
    for _ in range(2):  # two updates: the error of unused parameters comes with the second
        for step in range(int(flags.accumulation)):
            last = step + 1 == int(flags.accumulation)
            with contextlib.nullcontext() if last else wrapped.no_sync():
                wrapped(everyone[dist.get_rank()]).sum().backward()
            (alone(everyone).sum() / ranks).backward()
        for parameter, reference in zip(model.parameters(), alone.parameters()):
            if reference.grad is not None:
                worst = max(worst, (parameter.grad - reference.grad).abs().max().item())
        wrapped.zero_grad()
        alone.zero_grad()
    print("measured worst_difference =", json.dumps(worst))
    assert worst < 1e-5, f"gradients differ from those of one process by {worst:.3g}"
    print(f"oracle passed: the gradients equal those without checkpointing in one process, difference {worst:.1e}")


if __name__ == "__main__":
    main()
