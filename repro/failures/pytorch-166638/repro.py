# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""item() and float() of a DTensor whose reduction is still pending return this rank's part of it.

The sum or the norm of a sharded DTensor is Partial: ``item()`` of it is another number on every rank, and
wrong on all of them.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/166638
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

READ = {
    "item": lambda tensor: tensor.item(),
    "float": float,
    "full-tensor": lambda tensor: tensor.full_tensor().item() if hasattr(tensor, "full_tensor") else tensor.item(),
}


def reduced(values: torch.Tensor, reduction: str) -> torch.Tensor:
    if reduction in {"sum", "norm"}:
        return getattr(values, reduction)()
    parameter = torch.nn.Parameter(torch.zeros_like(values))
    parameter.grad = values
    return torch.nn.utils.clip_grad_norm_([parameter], max_norm=1.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--read", choices=list(READ), default="item")
    parser.add_argument("--reduction", choices=["sum", "norm", "clip-grad-norm"], default="sum")
    parser.add_argument("--placement", choices=["shard", "replicate"], default="shard")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())

    mesh = init_device_mesh(device, (dist.get_world_size(),))
    whole = torch.arange(1.0, 9.0, device=device)
    sharded = distribute_tensor(whole.clone(), mesh, [Shard(0) if flags.placement == "shard" else Replicate()])
    expected = reduced(whole, flags.reduction).item()
    read = READ[flags.read](reduced(sharded, flags.reduction))

    if dist.get_rank() == 0:
        print("measured read_on_rank_0 =", json.dumps(read))
        print("measured expected =", json.dumps(expected))
    assert abs(read - expected) <= 1e-5 * expected, f"{flags.read} gives {read:.6g}; the value is {expected:.6g}"
    print(f"oracle passed: {flags.read} gives {read:.6g}, as without sharding")


if __name__ == "__main__":
    main()
