# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0"]
# ///
"""A module of torch binds a function of another one while it is imported: a backport must come before."""

import torch  # noqa: F401
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper


def main() -> None:
    bound = checkpoint_wrapper.torch_utils_checkpoint
    assert getattr(bound, "mended", False), "documented: the function is not mended"
    print("oracle passed: the mended function was bound")


if __name__ == "__main__":
    main()
