# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0"]
# ///
"""``torch.distributed.checkpoint`` is no attribute of torch until somebody imports it."""

import torch


def main() -> None:
    assert hasattr(torch.distributed, "checkpoint"), "documented: torch.distributed.checkpoint was not imported"
    print("oracle passed: the module is there")


if __name__ == "__main__":
    main()
