"""Collectives get contiguous copies of strided inputs."""

from typing import Any

import torch
import torch.distributed as dist


def apply() -> None:
    """Wrap ``reduce_scatter_tensor``."""
    original = dist.reduce_scatter_tensor

    def reduce_scatter_tensor(output: torch.Tensor, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return original(output, tensor.contiguous(), *args, **kwargs)

    dist.reduce_scatter_tensor = reduce_scatter_tensor
