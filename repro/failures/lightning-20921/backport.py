"""Lightning's mixed precision keeps no casts of weights: a no_grad forward pass cannot spoil the training one.

For lightning before 2.5.5 on a torch before 2.11.  Before the Trainer is made: ``import backport; backport.apply()``.

``MixedPrecision.autocast_context_manager`` opens autocast with its cache on.  Here it is off, as in lightning 2.5.5
(Lightning-AI/pytorch-lightning#20921): a weight that is used twice in a step is cast twice.
"""


def apply() -> None:
    import torch
    from lightning.pytorch.plugins import MixedPrecision

    if getattr(MixedPrecision, "_backport", False):
        return

    def autocast_context_manager(self):
        dtype = torch.bfloat16 if self.precision == "bf16-mixed" else torch.half
        return torch.autocast(self.device, dtype=dtype, cache_enabled=False)

    MixedPrecision.autocast_context_manager = autocast_context_manager
    MixedPrecision._backport = True
