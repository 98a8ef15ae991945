"""Hooks in where the backport does and passes on to the original: nothing may change."""


def apply() -> None:
    import torch
    from torch.distributed.tensor import DTensor

    handlers = DTensor._op_dispatcher._custom_op_handlers

    def add(op_call, args, kwargs):
        del handlers[op_call]
        try:
            return op_call(*args, **kwargs)
        finally:
            handlers[op_call] = add

    handlers.setdefault(torch.ops.aten.add.Tensor, add)
