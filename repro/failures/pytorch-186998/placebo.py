"""Wraps the method that the cure wraps, asks the same question and changes nothing."""


def apply() -> None:
    from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup

    original = FSDPParamGroup._init_mp_dtypes

    def _init_mp_dtypes(self):
        original(self)
        any(param.sharded_param.requires_grad for param in self.fsdp_params)

    FSDPParamGroup._init_mp_dtypes = _init_mp_dtypes
