# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""A Partial DTensor is multiplied by the number of the first such call, whatever number is given afterwards.

Where DTensor must reduce an argument first, it takes all other arguments from its cache too: a loss scaled by
a factor that changes from step to step keeps that of step 0.  With a power the gradients are wrong as well.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/147180
"""

import argparse
import json
import operator

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

SCALES = [1.0, 2.0, 3.0]
OPERATIONS = {"multiply": operator.mul, "divide": operator.truediv, "power": operator.pow}


def steps(x: torch.Tensor, flags: argparse.Namespace) -> tuple[list[float], list[float]]:
    """The loss, and the sum of its gradient, for each scale."""
    losses, gradients = [], []
    for number in SCALES:
        scale = torch.tensor(number, device=x.device) if flags.scale == "tensor" else number
        x = x.detach().requires_grad_()
        loss = x.square().sum()
        if flags.reduce_first == "on" and isinstance(loss, DTensor):
            loss = loss.redistribute(placements=[Replicate()])
        loss = OPERATIONS[flags.operation](loss, scale)
        loss.backward()
        whole = [value.full_tensor() if isinstance(value, DTensor) else value for value in (loss, x.grad)]
        losses.append(round(whole[0].item(), 4))
        gradients.append(round(whole[1].sum().item(), 4))
    return losses, gradients


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operation", choices=list(OPERATIONS), default="multiply")
    parser.add_argument("--scale", choices=["number", "tensor"], default="number")
    parser.add_argument("--reduce-first", choices=["off", "on"], default="off")
    parser.add_argument("--placement", choices=["shard", "replicate"], default="shard")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    mesh = init_device_mesh(device, (dist.get_world_size(),))

    whole = torch.arange(1.0, 5.0, device=device)
    sharded = distribute_tensor(whole.clone(), mesh, [Shard(0) if flags.placement == "shard" else Replicate()])
    expected_losses, expected_gradients = steps(whole, flags)
    losses, gradients = steps(sharded, flags)
    if dist.get_rank() == 0:
        print("measured losses =", json.dumps(losses))
        print("measured expected_losses =", json.dumps(expected_losses))
        print("measured gradients =", json.dumps(gradients))
        print("measured expected_gradients =", json.dumps(expected_gradients))
    assert losses == expected_losses, (
        f"{flags.operation} by {SCALES} gives {losses}; plain tensors give {expected_losses}"
    )
    assert gradients == expected_gradients, f"the gradients are {gradients}; of plain tensors {expected_gradients}"
    print(f"oracle passed: {flags.operation} by {SCALES}: losses and gradients equal those of plain tensors")


if __name__ == "__main__":
    main()
