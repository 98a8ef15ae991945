"""The shards' answers are multiplied, not added: cures torch 2.5 to 2.9.

``all()`` is True if it is True for every shard; a sum of booleans is True if it is True for one.  As in
pytorch/pytorch#165924.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch.distributed.tensor._ops import _math_ops

    for operator in (torch.ops.aten.all.default, torch.ops.aten.all.dim):
        _math_ops.LINEAR_REDUCTION_OP_MAP[operator] = "product"
