"""Wraps the functions that the cure wraps and changes nothing.

For the same releases.  Before the Trainer is made: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    if getattr(ModelCheckpoint, "_backport", False):
        return
    save_last, epoch_end = ModelCheckpoint._save_last_checkpoint, ModelCheckpoint.on_train_epoch_end
    validation_end = ModelCheckpoint.on_validation_end

    def _save_last_checkpoint(self, trainer, monitor_candidates):
        save_last(self, trainer, monitor_candidates)

    def on_train_epoch_end(self, trainer, pl_module):
        epoch_end(self, trainer, pl_module)

    def on_validation_end(self, trainer, pl_module):
        validation_end(self, trainer, pl_module)

    ModelCheckpoint._save_last_checkpoint = _save_last_checkpoint
    ModelCheckpoint.on_train_epoch_end = on_train_epoch_end
    ModelCheckpoint.on_validation_end = on_validation_end
    ModelCheckpoint._backport = True
