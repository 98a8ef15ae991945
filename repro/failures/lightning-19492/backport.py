"""Lets lightning save a sharded FSDP checkpoint without optimizer states.

For lightning 2.1.0 to 2.2.1.  Before the Trainer is made: ``import backport; backport.apply()``.

``FSDPStrategy.save_checkpoint`` takes ``optimizer_states`` out of the checkpoint without a default.  Here an
empty list is that default, as in lightning 2.2.2 (Lightning-AI/pytorch-lightning#19524).
"""


def apply() -> None:
    from lightning.pytorch.strategies import FSDPStrategy

    save = FSDPStrategy.save_checkpoint
    if getattr(save, "_backport", False):
        return

    def save_checkpoint(self, checkpoint, filepath, storage_options=None):
        if self._state_dict_type == "sharded":
            checkpoint.setdefault("optimizer_states", [])
        save(self, checkpoint, filepath, storage_options)

    save_checkpoint._backport = True
    FSDPStrategy.save_checkpoint = save_checkpoint
