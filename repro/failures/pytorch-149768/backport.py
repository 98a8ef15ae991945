"""A Partial DTensor is reduced before a number is added to it: cures torch 2.5 to 2.10.

As in pytorch/pytorch#170030, with one all_reduce.  ``add_`` stays as it is, since it cannot change its
tensor's placements.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch.distributed.tensor import DTensor, Replicate

    handlers = DTensor._op_dispatcher._custom_op_handlers

    def add(op_call, args, kwargs):
        tensor, other = args
        if isinstance(tensor, DTensor) and isinstance(other, (int, float)):
            placements = [Replicate() if placement.is_partial() else placement for placement in tensor.placements]
            args = (tensor.redistribute(placements=placements), other)
        del handlers[op_call]  # for this one call: on to the original
        try:
            return op_call(*args, **kwargs)
        finally:
            handlers[op_call] = add

    handlers.setdefault(torch.ops.aten.add.Tensor, add)
