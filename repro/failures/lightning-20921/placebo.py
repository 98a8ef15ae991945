"""Replaces what the backport replaces by an equivalent of the original: nothing may change.

For the same releases.  Before the Trainer is made: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    import torch
    from lightning.pytorch.plugins import MixedPrecision

    if getattr(MixedPrecision, "_backport", False):
        return

    def autocast_context_manager(self):
        dtype = torch.bfloat16 if self.precision == "bf16-mixed" else torch.half
        return torch.autocast(self.device, dtype=dtype)

    MixedPrecision.autocast_context_manager = autocast_context_manager
    MixedPrecision._backport = True
