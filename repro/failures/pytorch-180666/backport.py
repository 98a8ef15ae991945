"""The copy of a gradient to the CPU has ended before anybody sees it."""

from typing import Any

import torch
from torch.distributed.fsdp._fully_shard import _fsdp_param_group


def apply() -> None:
    """Make each copy within ``foreach_reduce`` wait for its end."""
    original = _fsdp_param_group.foreach_reduce
    to = torch.Tensor.to

    def blocking(tensor: torch.Tensor, *args: Any, non_blocking: bool = False, **kwargs: Any) -> torch.Tensor:
        return to(tensor, *args, **kwargs)

    def foreach_reduce(*args: Any, **kwargs: Any) -> Any:
        torch.Tensor.to = blocking
        try:
            return original(*args, **kwargs)
        finally:
            torch.Tensor.to = to

    _fsdp_param_group.foreach_reduce = foreach_reduce
