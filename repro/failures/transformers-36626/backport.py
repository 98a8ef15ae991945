"""Saves the model's shards in weights-only checkpoints: cures transformers 4.36 to 4.49.

The only code that saves a sharded model is the saving of the optimizer, which ``save_only_model=True``
leaves out.  Here the Trainer saves the shards, and so makes the folder, where it saves any other model.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from accelerate.utils import save_fsdp_model
    from transformers import Trainer, trainer

    save_model = Trainer.save_model
    if hasattr(save_model, "backported"):
        return

    def save_model_and_shards(self, output_dir=None, _internal_call=False):
        save_model(self, output_dir, _internal_call)
        plugin = getattr(self.accelerator.state, "fsdp_plugin", None)
        sharded = plugin is not None and "SHARDED_STATE_DICT" in str(plugin.state_dict_type)
        if _internal_call and self.args.save_only_model and sharded:
            options = getattr(trainer, "_get_fsdp_ckpt_kwargs", dict)()
            save_fsdp_model(plugin, self.accelerator, self.model, output_dir, **options)

    save_model_and_shards.backported = True
    Trainer.save_model = save_model_and_shards
