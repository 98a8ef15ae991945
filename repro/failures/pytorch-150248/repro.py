# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.11.0", "numpy"]
# ///
"""all_reduce of tensors with different dtypes ends without an error under NCCL, and its sum is meaningless.

Each rank sends bytes; nothing compares what they mean.  gloo refuses it.  Needs CUDA devices.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/150248
"""

import argparse
import json

import torch
import torch.distributed as dist

DTYPES = {"float32": torch.float32, "int32": torch.int32}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", choices=list(DTYPES), default="int32")
    parser.add_argument("--check", choices=["off", "detail"], default="off")
    flags = parser.parse_args()
    if flags.check == "detail":
        dist.set_debug_level(dist.DebugLevel.DETAIL)  # what TORCH_DISTRIBUTED_DEBUG=DETAIL does
    dist.init_process_group("nccl")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.cuda.set_device(rank % torch.cuda.device_count())

    values = torch.full((4,), float(rank + 1), dtype=torch.float32 if rank == 0 else DTYPES[flags.peer]).cuda()
    dist.all_reduce(values)
    torch.cuda.synchronize()

    found, expected = values.tolist(), size * (size + 1) / 2
    print("measured sum =", json.dumps(found[0]))
    print("measured expected =", json.dumps(expected))
    assert found == [expected] * 4, f"the sum on rank {rank} is {found[0]}; the value is {expected:.0f}"
    print(f"oracle passed: the sum is {found[0]} on every rank")


if __name__ == "__main__":
    main()
