# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""A number added to a Partial DTensor is added on every rank, so that the sum holds it once for each.

``x.sum() + 1.0`` of a sharded DTensor is too large by the number of ranks less one.  The gradient norm plus
1e-6, by which ``clip_grad_norm_`` divides, is wrong in the same way: small gradients are clipped too hard.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/149768
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def computed(values: torch.Tensor, operation: str, number: float | torch.Tensor) -> float:
    """The sum or the norm of the values plus the number, or the norm of gradients clipped to half their norm."""
    if operation in {"sum", "norm"}:
        return whole(getattr(values, operation)() + number).item()
    parameter = torch.nn.Parameter(torch.zeros_like(values))
    size = 1e-6 if operation == "clip-small" else 1.0
    parameter.grad = values * (size / whole(values).norm().item())
    torch.nn.utils.clip_grad_norm_([parameter], max_norm=size / 2)
    return whole(parameter.grad).norm().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operation", choices=["sum", "norm", "clip-small", "clip-ordinary"], default="sum")
    parser.add_argument("--number", choices=["python", "tensor"], default="python")
    parser.add_argument("--placement", choices=["shard", "replicate"], default="shard")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    mesh = init_device_mesh(device, (dist.get_world_size(),))

    values = torch.arange(1.0, 5.0, device=device)
    sharded = distribute_tensor(values.clone(), mesh, [Shard(0) if flags.placement == "shard" else Replicate()])
    number = torch.tensor(1.0, device=device) if flags.number == "tensor" else 1.0
    expected = computed(values, flags.operation, number)
    found = computed(sharded, flags.operation, number)
    if dist.get_rank() == 0:
        print("measured found =", json.dumps(found))
        print("measured expected =", json.dumps(expected))
        print("measured ratio =", json.dumps(found / expected))
    assert abs(found / expected - 1) <= 1e-4, f"{flags.operation} gives {found:.6g}; plain tensors give {expected:.6g}"
    print(f"oracle passed: {flags.operation} gives {found:.6g}, as with plain tensors")


if __name__ == "__main__":
    main()
