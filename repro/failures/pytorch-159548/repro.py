# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.11.0", "numpy"]
# ///
"""Collectives of NCCL read and write strided tensors as if they were contiguous, without an error.

A column of a matrix is a strided view.  ``reduce_scatter_tensor`` of one, and ``gather`` into some, give numbers of
the neighbouring columns.  Needs CUDA devices.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/159548
"""

import argparse
import json

import torch
import torch.distributed as dist

ROWS, COLUMNS = 8, 4


def column(rank: int, layout: str) -> torch.Tensor:
    matrix = (torch.arange(ROWS * COLUMNS, dtype=torch.float32) + 1000 * rank).view(ROWS, COLUMNS).cuda()
    return matrix[:, 0] if layout == "strided" else matrix[:, 0].contiguous()


def empty(layout: str) -> torch.Tensor:
    return torch.full((ROWS, COLUMNS), -1.0).cuda()[:, 0] if layout == "strided" else torch.full((ROWS,), -1.0).cuda()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--collective", choices=["reduce-scatter", "gather", "all-reduce"], default="reduce-scatter")
    parser.add_argument("--layout", choices=["strided", "contiguous"], default="strided")
    flags = parser.parse_args()
    dist.init_process_group("nccl")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.cuda.set_device(rank % torch.cuda.device_count())

    columns = [column(source, "contiguous") for source in range(size)]
    total = torch.stack(columns).sum(dim=0)
    if flags.collective == "reduce-scatter":
        expected, found = total.view(size, -1)[rank], torch.full((ROWS // size,), -1.0).cuda()
        dist.reduce_scatter_tensor(found, column(rank, flags.layout))
    elif flags.collective == "gather":
        received = [empty(flags.layout) for _ in range(size)] if rank == 0 else None
        dist.gather(column(rank, "contiguous"), received, dst=0)
        expected, found = (torch.stack(columns), torch.stack(received)) if received else (total, total)
    else:
        expected, found = total, column(rank, flags.layout)
        dist.all_reduce(found)
    torch.cuda.synchronize()

    print("measured found =", json.dumps(found.flatten().tolist()))
    print("measured expected =", json.dumps(expected.flatten().tolist()))
    assert torch.equal(found, expected), (
        f"{flags.collective} of {flags.layout} tensors gives {found.flatten().tolist()}"
    )
    print(f"oracle passed: {flags.collective} of {flags.layout} tensors gives what contiguous copies give")


if __name__ == "__main__":
    main()
