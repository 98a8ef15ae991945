"""Activation checkpointing under FSDP2 keeps the state of the random numbers: cures accelerate 1.8 to 1.15.

``fsdp2_apply_ac`` asks ``checkpoint_wrapper`` not to; here it gets a wrapper that does.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from accelerate import accelerator
    from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as module

    apply_checkpointing = accelerator.fsdp2_apply_ac
    if getattr(apply_checkpointing, "backported", False):
        return
    original = module.checkpoint_wrapper

    def with_state(layer, **named):
        return original(layer, **{**named, "preserve_rng_state": True})

    def fsdp2_apply_ac(*args, **named):
        module.checkpoint_wrapper = with_state  # it is imported at each call
        try:
            return apply_checkpointing(*args, **named)
        finally:
            module.checkpoint_wrapper = original

    fsdp2_apply_ac.backported = True
    accelerator.fsdp2_apply_ac = fsdp2_apply_ac
