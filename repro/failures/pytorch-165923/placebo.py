"""Writes what the backport writes, with the values of the original: nothing may change."""


def apply() -> None:
    import torch
    from torch.distributed.tensor._ops import _math_ops

    for operator in (torch.ops.aten.all.default, torch.ops.aten.all.dim):
        _math_ops.LINEAR_REDUCTION_OP_MAP[operator] = str(_math_ops.LINEAR_REDUCTION_OP_MAP[operator])
