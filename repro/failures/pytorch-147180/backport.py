"""Of the cached call only the placements are used, the numbers are those of this call: cures torch 2.5 to 2.8.

As in later releases, ``redistribute_local_args`` takes other arguments from the cached schema only where
sharding propagation changes them itself (shapes and strides of views).
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.distributed.tensor import DTensor
    from torch.distributed.tensor._op_schema import DTensorSpec

    dispatcher = DTensor._op_dispatcher
    original = type(dispatcher).redistribute_local_args
    if hasattr(original, "backported"):
        return

    def redistribute_tensors_only(op_info, *args):
        original(op_info, *args)
        if op_info.schema.op not in dispatcher.sharding_propagator.op_to_shape_and_stride_idx:
            op_info.local_args = tuple(
                local if isinstance(own, DTensorSpec) else own
                for own, local in zip(op_info.flat_args_schema, op_info.local_args)
            )

    redistribute_tensors_only.backported = True
    type(dispatcher).redistribute_local_args = staticmethod(redistribute_tensors_only)
