"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from accelerate import utils
    from accelerate.utils import fsdp_utils

    load = fsdp_utils.fsdp2_load_full_state_dict
    if hasattr(load, "backported"):
        return

    def load_as_before(accelerator, model, full_sd, *args, **kwargs):
        if accelerator.is_main_process:
            full_sd = {name: full_sd[name] for name in full_sd}
        return load(accelerator, model, full_sd, *args, **kwargs)

    load_as_before.backported = True
    utils.fsdp2_load_full_state_dict = fsdp_utils.fsdp2_load_full_state_dict = load_as_before
