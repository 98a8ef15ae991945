# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0"]
# ///
"""One of two ranks fails that the script spawned, or that torchrun started.

python repro.py
"""

import argparse
import os
import signal
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.fsdp import FullyShardedDataParallel


def work(rank: int, end: str, place: str | None = None) -> None:
    dist.init_process_group("gloo", f"file://{place}/store" if place else None, rank=rank, world_size=2)
    model = FullyShardedDataParallel(torch.nn.Linear(4, 4), use_orig_params=True)
    model(torch.ones(1, 4)).sum().backward()
    print("measured rank =", dist.get_rank())
    if end == "signal" and rank == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    while end == "waits":
        time.sleep(0.1)
    assert rank == 0 or hasattr(torch, "cured"), f"documented: rank {rank}"
    print("oracle passed: nothing is wrong")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--end", choices=["assertion", "signal", "waits"], default="assertion")
    parser.add_argument("--method", choices=["spawn", "fork"], default="spawn")
    flags = parser.parse_args()
    if "RANK" in os.environ:
        work(int(os.environ["RANK"]), flags.end)
        return
    with tempfile.TemporaryDirectory() as place:
        mp.start_processes(work, (flags.end, place), nprocs=2, start_method=flags.method)


if __name__ == "__main__":
    main()
