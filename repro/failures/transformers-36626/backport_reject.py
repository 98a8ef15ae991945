"""Refuses the combination in the Trainer's constructor: upstream's cure, for transformers 4.36 to 4.49.

The check is that of huggingface/transformers#36627 (4.50.0): the user is told before any training.
Before the job: ``import backport_reject; backport_reject.apply()``.
"""


def apply() -> None:
    from transformers import Trainer

    create = Trainer.create_accelerator_and_postprocess
    if hasattr(create, "backported"):
        return

    def create_and_check(self):
        create(self)
        plugin = getattr(self.accelerator.state, "fsdp_plugin", None)
        sharded = plugin is not None and "SHARDED_STATE_DICT" in str(plugin.state_dict_type)
        if self.args.save_only_model and sharded:
            kind = "SHARDED_STATE_DICT"
            raise ValueError(f"save_only_model option is not compatible with FSDP state dict type '{kind}'")

    create_and_check.backported = True
    Trainer.create_accelerator_and_postprocess = create_and_check
