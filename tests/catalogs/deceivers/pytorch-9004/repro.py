# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0"]
# ///
"""``torch.distributed.checkpoint`` is no attribute of torch until somebody imports it."""

import torch
import torch.distributed as dist


def main() -> None:
    assert hasattr(dist, "checkpoint"), f"documented: torch {torch.__version__} has not imported its checkpoints"
    print("oracle passed: the module is there")


if __name__ == "__main__":
    main()
