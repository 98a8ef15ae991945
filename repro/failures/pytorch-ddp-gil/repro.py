# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""A model in DDP that outlives its gloo process group: the program can stand still where the model is freed.

The DDP reducer then holds the last reference to the group.  Its destructor joins the group's threads and keeps the
interpreter lock, while such a thread may need that lock to let go of the tensor of the last collective.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/56297
"""

import argparse
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

CYCLES = 60  # one cycle stands still in about a third of the cases


def free(held: list) -> None:
    held.clear()


def train(flags: argparse.Namespace) -> float:
    """One short training in a process group of its own; the sum of a value over the ranks."""
    group = dist.new_group()
    model = torch.nn.Linear(4, 4)
    held = [DistributedDataParallel(model, process_group=group) if flags.wrapper == "ddp" else model]
    held[0](torch.ones(4)).sum().backward()
    value = torch.ones(4)
    dist.all_reduce(value, group=group)
    if flags.last == "barrier":
        dist.barrier(group=group)
    if flags.pause == "on":
        time.sleep(0.05)
    if flags.first == "model":
        free(held)
    dist.destroy_process_group(group)
    del group
    free(held)
    return value[0].item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wrapper", choices=["ddp", "none"], default="ddp")
    parser.add_argument("--first", choices=["group", "model"], default="group")
    parser.add_argument("--last", choices=["all-reduce", "barrier"], default="all-reduce")
    parser.add_argument("--pause", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    sums = [train(flags) for _ in range(CYCLES)]
    assert sums == [dist.get_world_size()] * CYCLES, f"wrong sums: {sums}"
    print(f"oracle passed: {CYCLES} groups were freed, each after the right sum over the ranks")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
