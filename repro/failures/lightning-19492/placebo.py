"""Wraps the function that the cures change and changes nothing.

For lightning 2.1.0 to 2.2.1.  Before the Trainer is made: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from lightning.pytorch.strategies import FSDPStrategy

    save = FSDPStrategy.save_checkpoint
    if getattr(save, "_backport", False):
        return

    def save_checkpoint(self, checkpoint, filepath, storage_options=None):
        if self._state_dict_type == "sharded":
            checkpoint.setdefault("state_dict", [])
        save(self, checkpoint, filepath, storage_options)

    save_checkpoint._backport = True
    FSDPStrategy.save_checkpoint = save_checkpoint
