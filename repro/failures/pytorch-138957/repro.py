# /// script
# requires-python = ">=3.12,<3.14"
# dependencies = ["torch==2.15.0"]
# ///
"""Workers of a DataLoader are forked from a process with many threads: Python 3.12 and 3.13 warn of a deadlock.

    torchrun --standalone --nproc-per-node 2 repro.py

A rank with a process group has threads of torch's own. DataLoader forks its workers all the same.

https://github.com/pytorch/pytorch/issues/138957
"""

import argparse
import warnings

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--start", choices=["default", "spawn", "no-workers"], default="default")
    flags = parser.parse_args()
    # Python hides deprecations that are not in the script itself.
    warnings.simplefilter("default", DeprecationWarning)
    dist.init_process_group("gloo")
    context = "spawn" if flags.start == "spawn" else None
    workers = 0 if flags.start == "no-workers" else 1
    loader = DataLoader(torch.arange(8), batch_size=2, num_workers=workers, multiprocessing_context=context)
    found = [int(batch.sum()) for batch in loader]
    assert found == [1, 5, 9, 13], f"the loader gave {found}"
    dist.barrier()
    dist.destroy_process_group()
    print(f"oracle passed: the loader gave {found}")


if __name__ == "__main__":
    main()
