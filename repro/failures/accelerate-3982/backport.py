"""Puts the full state dict into the model's order first: cures accelerate 1.6 to 1.13.

The function pairs the tensors of the dict with those of the model by position.  Rank 0 now hands it the dict in the
model's order and without keys that the model lacks, which makes position and key the same, as
huggingface/accelerate#3982 does.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from accelerate import utils
    from accelerate.utils import fsdp_utils

    load = fsdp_utils.fsdp2_load_full_state_dict
    if hasattr(load, "backported"):
        return

    def load_by_key(accelerator, model, full_sd, *args, **kwargs):
        if accelerator.is_main_process:
            full_sd = {name: full_sd[name] for name in model.state_dict()}
        return load(accelerator, model, full_sd, *args, **kwargs)

    load_by_key.backported = True
    utils.fsdp2_load_full_state_dict = fsdp_utils.fsdp2_load_full_state_dict = load_by_key
