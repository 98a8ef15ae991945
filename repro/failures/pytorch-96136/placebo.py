"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torch.nn.modules.batchnorm import _BatchNorm

    forward = _BatchNorm.forward
    if hasattr(forward, "backported"):
        return

    def forward_as_before(self, *args, **kwargs):
        return forward(self, *args, **kwargs)

    forward_as_before.backported = True
    _BatchNorm.forward = forward_as_before
