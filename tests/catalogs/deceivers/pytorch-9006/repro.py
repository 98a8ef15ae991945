# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0"]
# ///
"""torch reads its debug level while it is imported."""

import os

os.environ["TORCH_DISTRIBUTED_DEBUG"] = "DETAIL"

import torch
import torch.distributed as dist


def main() -> None:
    assert dist.get_debug_level() != dist.DebugLevel.DETAIL, f"documented: torch {torch.__version__} reads the variable"
    print("oracle passed: the variable has no effect")


if __name__ == "__main__":
    main()
