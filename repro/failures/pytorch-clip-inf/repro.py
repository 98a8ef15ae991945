# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""Clipping by the infinity norm fails on every rank that holds no part of some parameter.

A parameter with fewer rows than ranks, such as the bias of ``Linear(d, 1)``, leaves empty shards.  The largest
gradient of an empty tensor is undefined, so these ranks raise, and rank 0 waits for them in the reduction.

    torchrun --standalone --nproc-per-node 4 repro.py

torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type=torch.inf)
"""

import argparse
import json
import math

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor


def clipped(gradient: torch.Tensor, flags: argparse.Namespace) -> tuple[float, torch.Tensor]:
    """The total norm and the clipped gradient."""
    parameter = torch.nn.Parameter(torch.zeros_like(gradient))
    parameter.grad = gradient
    foreach = False if flags.foreach == "off" else None
    norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0, norm_type=float(flags.norm), foreach=foreach)
    found = [value.full_tensor() if isinstance(value, DTensor) else value for value in (norm, parameter.grad)]
    return found[0].item(), found[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--norm", choices=["inf", "2"], default="inf")
    parser.add_argument("--rows", choices=["1", "3", "8"], default="1")
    parser.add_argument("--foreach", choices=["auto", "off"], default="auto")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))

    gradient = torch.arange(1.0, 1.0 + int(flags.rows))
    expected_norm, expected = clipped(gradient.clone(), flags)
    sharded = distribute_tensor(gradient.clone(), mesh, [Shard(0)])
    print("measured rows_here =", json.dumps(sharded.to_local().numel()))
    norm, found = clipped(sharded, flags)
    print("measured norm =", json.dumps(norm))
    assert math.isclose(norm, expected_norm, rel_tol=1e-5), f"the norm is {norm:.6g} where {expected_norm:.6g} is right"
    difference = (found - expected).abs().max().item()
    assert difference <= 1e-5, f"clipped gradients differ by {difference:.3g}"
    print(f"oracle passed: the norm is {norm:.6g}, and the gradients are clipped as plain tensors are")


if __name__ == "__main__":
    main()
