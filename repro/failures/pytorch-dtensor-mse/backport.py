"""Losses with a mean are computed as their decomposition, on DTensors: cures torch 2.11 to 2.15.

Sharding propagation traces the decomposition for its placements only; the operator then runs on each rank's
shard and divides by the number of elements there.  Here the decomposition itself runs on the DTensors, so
that ``numel()`` is that of the whole tensor and the mean knows of uneven shards.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch._decomp import decomposition_table
    from torch.distributed.tensor import DTensor

    def decompose(op_call, args, kwargs):
        return decomposition_table[op_call](*args, **kwargs)

    handlers = DTensor._op_dispatcher._custom_op_handlers
    for name in ("mse_loss", "huber_loss", "smooth_l1_loss"):
        for operator in (getattr(torch.ops.aten, name).default, getattr(torch.ops.aten, f"{name}_backward").default):
            if operator in decomposition_table:
                handlers.setdefault(operator, decompose)
