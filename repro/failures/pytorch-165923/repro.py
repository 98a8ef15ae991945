# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""all() of a sharded DTensor is True although an element is False: the shards' answers are added, not multiplied.

``isfinite().all()`` of a gradient with a NaN on one rank says that everything is finite, so that a guard
"skip the step if gradients are not finite" lets the NaN into the weights.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/165923
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

REDUCE = {
    "all": lambda finite: finite.all(),
    "all-rows": lambda finite: finite.all(dim=0),
    "all-columns": lambda finite: finite.all(dim=1),
    "not-any-not": lambda finite: finite.logical_not().any().logical_not(),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reduction", choices=list(REDUCE), default="all")
    parser.add_argument("--placement", choices=["shard", "replicate"], default="shard")
    parser.add_argument("--not-finite", choices=["one-rank", "every-rank"], default="one-rank")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    world_size = dist.get_world_size()
    mesh = init_device_mesh(device, (world_size,))

    gradient = torch.ones(2 * world_size, 4, device=device)
    gradient[:: 2 if flags.not_finite == "every-rank" else len(gradient), 0] = torch.nan
    placement = Shard(0) if flags.placement == "shard" else Replicate()
    sharded = distribute_tensor(gradient.clone(), mesh, [placement])

    expected = bool(REDUCE[flags.reduction](gradient.isfinite()).all())
    found = bool(REDUCE[flags.reduction](sharded.isfinite()).full_tensor().all())
    weight = torch.zeros_like(gradient)
    if found:  # the guard: no step with a gradient that is not finite
        weight -= 0.1 * gradient

    if dist.get_rank() == 0:
        print("measured all_finite =", json.dumps(found))
        print("measured expected =", json.dumps(expected))
        print("measured weights_not_finite =", json.dumps(weight.isfinite().logical_not().sum().item()))
    assert found == expected, f"all gradients are finite: {found} for the DTensor, {expected} for the plain tensor"
    print(f"oracle passed: all gradients are finite: {found} for the DTensor and for the plain tensor")


if __name__ == "__main__":
    main()
