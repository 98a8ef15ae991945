# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.11.0", "numpy"]
# ///
"""barrier() as the first collective takes memory of a device that the rank does not use.

NCCL's barrier needs a device.  Where the process group does not know one it is guessed from the rank, whatever
``torch.cuda.set_device`` said.  Needs two CUDA devices.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/124714
"""

import argparse
import json
import os

import torch
import torch.distributed as dist


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device-id", choices=["none", "init", "barrier"], default="none")
    parser.add_argument("--devices", choices=["exchanged", "in-order"], default="exchanged")
    flags = parser.parse_args()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    own = torch.device("cuda", (rank + 1) % size if flags.devices == "exchanged" else rank)
    other = torch.device("cuda", rank if flags.devices == "exchanged" else (rank + 1) % size)
    torch.cuda.set_device(own)
    dist.init_process_group("nccl", **({"device_id": own} if flags.device_id == "init" else {}))
    before = torch.cuda.memory_reserved(other)
    dist.barrier(**({"device_ids": [own.index]} if flags.device_id == "barrier" else {}))
    torch.cuda.synchronize()

    taken = torch.cuda.memory_reserved(other) - before
    print("measured bytes_on_other_device =", json.dumps(taken))
    assert taken == 0, f"the barrier took {taken} bytes of the other rank's device"
    print("oracle passed: the barrier took nothing of the other rank's device")


if __name__ == "__main__":
    main()
