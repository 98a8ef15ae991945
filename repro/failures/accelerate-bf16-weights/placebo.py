"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    import torch
    from accelerate import accelerator as module

    prepare = module.fsdp2_prepare_model
    if hasattr(prepare, "backported"):
        return

    def prepare_as_before(accelerator, model):
        for parameter in model.parameters():
            parameter.to(torch.float32)  # into nowhere, as 1.13.0 does
        return prepare(accelerator, model)

    prepare_as_before.backported = True
    module.fsdp2_prepare_model = prepare_as_before
