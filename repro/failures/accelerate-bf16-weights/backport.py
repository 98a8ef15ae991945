"""Casts the trainable parameters to float32 before they are sharded: cures accelerate 1.13.0.

That is where 1.14.0 does it (huggingface/accelerate#3985).  The cast that follows in 1.13.0 then finds nothing to do.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from accelerate import accelerator as module

    prepare = module.fsdp2_prepare_model
    if hasattr(prepare, "backported"):
        return

    def upcast_and_prepare(accelerator, model):
        if accelerator.mixed_precision != "no":
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.float32)
        return prepare(accelerator, model)

    upcast_and_prepare.backported = True
    module.fsdp2_prepare_model = upcast_and_prepare
