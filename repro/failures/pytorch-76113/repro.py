# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""SequentialLR warns at its milestone of a call that the user does not make.

    torchrun --standalone --nproc-per-node 2 repro.py

A warm-up and then a decay, as most training does: torch itself passes an epoch to the second scheduler, and warns
that the user should not.

https://github.com/pytorch/pytorch/issues/76113
"""

import argparse

import torch
import torch.distributed as dist
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

UPDATES, WARM_UP = 4, 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--schedulers", choices=["two", "one"], default="two")
    flags = parser.parse_args()
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank = dist.get_rank()
    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(rank)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 2).to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = LinearLR(optimizer, 0.1, 1.0, WARM_UP)
    if flags.schedulers == "two":
        decay = CosineAnnealingLR(optimizer, UPDATES)
        scheduler = SequentialLR(optimizer, [scheduler, decay], [WARM_UP])

    rates = []
    for _ in range(UPDATES):
        model(torch.randn(3, 4, device=device)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        rates.append(round(optimizer.param_groups[0]["lr"], 4))
    expected = [0.055, 0.1, 0.0854, 0.05] if flags.schedulers == "two" else [0.055, 0.1, 0.1, 0.1]
    assert rates == expected, f"learning rates are {rates}"
    dist.destroy_process_group()
    print(f"oracle passed: learning rates are {rates}, as they should be")


if __name__ == "__main__":
    main()
