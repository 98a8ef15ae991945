"""Gradients are reduced in the type asked for, though the first forward pass ran frozen: cures torch 2.11 to 2.13.

Where no parameter is trainable, the type of all of them counts, as pytorch/pytorch#187376 does.
Before the model is sharded: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup

    original = FSDPParamGroup._init_mp_dtypes
    if getattr(original, "backported", False):
        return

    def _init_mp_dtypes(self):
        original(self)
        if self._reduce_dtype is not None or any(param.sharded_param.requires_grad for param in self.fsdp_params):
            return
        params = [param for param in self.fsdp_params if param.orig_dtype.is_floating_point]
        types = {(param.orig_dtype, param.reduce_dtype) for param in params}
        if len(types) == 1:
            self._orig_dtype, self._reduce_dtype = types.pop()

    _init_mp_dtypes.backported = True
    FSDPParamGroup._init_mp_dtypes = _init_mp_dtypes
