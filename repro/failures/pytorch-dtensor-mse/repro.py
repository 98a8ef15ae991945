# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""Gradients of mse_loss on sharded DTensors are too large by the number of ranks; the loss is right.

huber_loss and smooth_l1_loss do the same with reduction="mean".  Written out as ``(x - y).square().mean()``
the gradients are right.

    torchrun --standalone --nproc-per-node 2 repro.py
"""

import argparse
import json

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

LOSSES = {
    "mse": F.mse_loss,
    "huber": F.huber_loss,
    "smooth-l1": F.smooth_l1_loss,
    "l1": F.l1_loss,
    "written-out": lambda x, y, reduction: getattr((x - y).square(), reduction)(),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", choices=list(LOSSES), default="mse")
    parser.add_argument("--reduction", choices=["mean", "sum"], default="mean")
    parser.add_argument("--placement", choices=["shard", "replicate"], default="shard")
    parser.add_argument("--rows", choices=["even", "uneven"], default="even")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    world_size = dist.get_world_size()
    mesh = init_device_mesh(device, (world_size,))

    torch.manual_seed(0)
    rows = 2 * world_size if flags.rows == "even" else 2 * world_size - 1
    x, y = torch.randn(2, rows, 4, device=device)
    reference = x.clone().requires_grad_()
    expected = LOSSES[flags.loss](reference, y, reduction=flags.reduction)
    expected.backward()

    placements = [Shard(0) if flags.placement == "shard" else Replicate()]
    sharded = distribute_tensor(x, mesh, placements).requires_grad_()
    loss = LOSSES[flags.loss](sharded, distribute_tensor(y, mesh, placements), reduction=flags.reduction)
    loss.backward()

    loss_ratio = (loss.full_tensor() / expected).item()
    ratio = sharded.grad.full_tensor() / reference.grad
    smallest, largest = ratio.min().item(), ratio.max().item()
    if dist.get_rank() == 0:
        print("measured loss_ratio =", json.dumps(loss_ratio))
        print("measured smallest_gradient_ratio =", json.dumps(smallest))
        print("measured largest_gradient_ratio =", json.dumps(largest))
    right = all(abs(found - 1) <= 1e-4 for found in (loss_ratio, smallest, largest))
    assert right, f"loss {loss_ratio:.4g} times, gradients {smallest:.4g} to {largest:.4g} times those of plain tensors"
    print("oracle passed: loss and gradients equal those of plain tensors to 1e-4")


if __name__ == "__main__":
    main()
