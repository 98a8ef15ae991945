"""A barrier uses the device that the rank has chosen."""

from typing import Any

import torch
import torch.distributed as dist


def apply() -> None:
    """Wrap ``barrier``."""
    original = dist.barrier

    def barrier(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("device_ids", [torch.cuda.current_device()])
        return original(*args, **kwargs)

    dist.barrier = barrier
