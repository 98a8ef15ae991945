"""A pending reduction is done before a scalar is read: cures torch 2.5 to 2.15.

DTensor's dispatcher hands ``aten._local_scalar_dense`` the local tensor as it is.  Here the DTensor is
replicated first, as in pytorch/pytorch#167598: all ranks must then read together.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch.distributed.tensor import DTensor, Replicate

    handlers = DTensor._op_dispatcher._custom_op_handlers
    operator = torch.ops.aten._local_scalar_dense.default

    def read_reduced(op_call, args, kwargs):
        (tensor,) = args
        placements = [Replicate() if placement.is_partial() else placement for placement in tensor.placements]
        return op_call(tensor.redistribute(placements=placements).to_local(), **kwargs)

    handlers.setdefault(operator, read_reduced)
