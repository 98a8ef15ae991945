"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torch.utils import checkpoint as module

    original = module.checkpoint

    def checkpoint(function, *arguments, **options):
        return original(function, *arguments, **options)

    module.checkpoint = checkpoint
