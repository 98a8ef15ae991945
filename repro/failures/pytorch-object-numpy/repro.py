# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.13.0"]
# ///
"""Collectives of Python objects fail where NumPy is not installed, which torch does not require.

    torchrun --standalone --nproc-per-node 2 repro.py

all_gather_object, and all that uses it, reads the bytes of a received object through NumPy. Tensors need none.
"""

import argparse

import torch
import torch.distributed as dist


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--exchange", choices=["objects", "tensors"], default="objects")
    flags = parser.parse_args()
    on_cuda = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_cuda else "gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", rank % torch.cuda.device_count()) if on_cuda else torch.device("cpu")
    if on_cuda:
        torch.cuda.set_device(device)

    if flags.exchange == "objects":
        found: list = [None] * ranks
        dist.all_gather_object(found, {"rank": rank})
        numbers = [item["rank"] for item in found]
    else:
        parts = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(ranks)]
        dist.all_gather(parts, torch.tensor([rank], device=device))
        numbers = [int(part) for part in parts]
    assert numbers == list(range(ranks)), f"the ranks say {numbers}"
    dist.destroy_process_group()
    print(f"oracle passed: every rank has what the {ranks} ranks sent")


if __name__ == "__main__":
    main()
