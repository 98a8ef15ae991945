"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    import sys

    from accelerate import accelerator, utils

    original = utils.fsdp_utils.load_fsdp_optimizer
    if hasattr(original, "backported"):
        return

    def load_fsdp_optimizer(*arguments, **options):
        original(*arguments, **options)

    load_fsdp_optimizer.backported = True
    for module in (utils.fsdp_utils, utils, accelerator, sys.modules.get("transformers.trainer")):
        if module is not None:
            module.load_fsdp_optimizer = load_fsdp_optimizer
