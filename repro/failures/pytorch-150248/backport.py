"""Ranks agree on a dtype before they reduce: a second collective."""

import functools
from typing import Any

import torch
import torch.distributed as dist


def apply() -> None:
    """Wrap ``all_reduce``."""
    original = dist.all_reduce

    def all_reduce(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        dtypes: list[torch.dtype] = [tensor.dtype] * dist.get_world_size()
        dist.all_gather_object(dtypes, tensor.dtype)
        common = tensor.to(functools.reduce(torch.promote_types, dtypes))
        work = original(common, *args, **kwargs)
        tensor.copy_(common)
        return work

    dist.all_reduce = all_reduce
