"""The same hook, without effect."""

from typing import Any

import torch
from torch.distributed.fsdp._fully_shard import _fsdp_param_group


def apply() -> None:
    """Copy as before."""
    original = _fsdp_param_group.foreach_reduce
    to = torch.Tensor.to

    def same(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return to(tensor, *args, **kwargs)

    def foreach_reduce(*args: Any, **kwargs: Any) -> Any:
        torch.Tensor.to = same
        try:
            return original(*args, **kwargs)
        finally:
            torch.Tensor.to = to

    _fsdp_param_group.foreach_reduce = foreach_reduce
