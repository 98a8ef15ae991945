"""All activation checkpointing is without re-entrance: cures torch 2.2 to 2.15.

The search for unused parameters then sees the layers, and each gradient comes once.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.utils import checkpoint as module

    original = module.checkpoint
    if getattr(original, "never_reentrant", False):
        return

    def checkpoint(function, *arguments, **options):
        options["use_reentrant"] = False
        return original(function, *arguments, **options)

    checkpoint.never_reentrant = True
    module.checkpoint = checkpoint
