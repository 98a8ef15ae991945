"""Wraps the function that the cure wraps, and gives it a wrapper that passes on to the original."""


def apply() -> None:
    from accelerate import accelerator
    from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as module

    apply_checkpointing, original = accelerator.fsdp2_apply_ac, module.checkpoint_wrapper

    def as_before(layer, **named):
        return original(layer, **named)

    def fsdp2_apply_ac(*args, **named):
        module.checkpoint_wrapper = as_before
        try:
            return apply_checkpointing(*args, **named)
        finally:
            module.checkpoint_wrapper = original

    accelerator.fsdp2_apply_ac = fsdp2_apply_ac
