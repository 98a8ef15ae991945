"""ModelCheckpoint(save_last=True) writes last.ckpt after every epoch, whatever else it writes.

For lightning 2.6.0 to 2.6.6, and 2.1.0 to 2.1.4.  Before the Trainer is made: ``import backport; backport.apply()``.

Since 2.6.0 the two hooks that save call ``_save_last_checkpoint`` only if they saved something else in this step
(Lightning-AI/pytorch-lightning#21244); here they call it for ``save_last=True`` as before, ``"link"`` is left alone.
In 2.1 ``_save_last_checkpoint`` makes a link to whatever was saved before; here it always writes a copy, as it does
since 2.2.0 (Lightning-AI/pytorch-lightning#19191).
"""


def apply() -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    if getattr(ModelCheckpoint, "_backport", False):
        return
    save_last, epoch_end = ModelCheckpoint._save_last_checkpoint, ModelCheckpoint.on_train_epoch_end
    validation_end = ModelCheckpoint.on_validation_end

    def _save_last_checkpoint(self, trainer, monitor_candidates):
        if self.save_last is True:
            self._last_checkpoint_saved = ""  # nothing to link to
        save_last(self, trainer, monitor_candidates)

    def save_last_if_due(self, trainer, at_epoch_end):
        due = self._should_save_on_train_epoch_end(trainer) == at_epoch_end
        if self.save_last is True and due and not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer, pl_module):
        epoch_end(self, trainer, pl_module)
        save_last_if_due(self, trainer, at_epoch_end=True)

    def on_validation_end(self, trainer, pl_module):
        validation_end(self, trainer, pl_module)
        save_last_if_due(self, trainer, at_epoch_end=False)

    ModelCheckpoint._save_last_checkpoint = _save_last_checkpoint
    ModelCheckpoint.on_train_epoch_end = on_train_epoch_end
    ModelCheckpoint.on_validation_end = on_validation_end
    ModelCheckpoint._backport = True
