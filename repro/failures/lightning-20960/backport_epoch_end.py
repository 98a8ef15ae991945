"""ModelCheckpoint saves at the end of each training epoch where there is nothing to validate.

For every lightning release.  Before the Trainer is made: ``import backport_epoch_end as b; b.apply()``.

``ModelCheckpoint._should_save_on_train_epoch_end`` asks for ``check_val_every_n_epoch`` before it asks whether
there is anything to validate.  Here it is the other way round, so that ``last.ckpt`` exists while training runs.
"""


def apply() -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    should_save = ModelCheckpoint._should_save_on_train_epoch_end
    if getattr(should_save, "_backport", False):
        return

    def should_save_on_train_epoch_end(self, trainer):
        batches = trainer.num_val_batches
        if self._save_on_train_epoch_end is None and not (sum(batches) if isinstance(batches, list) else batches):
            return True
        return should_save(self, trainer)

    should_save_on_train_epoch_end._backport = True
    ModelCheckpoint._should_save_on_train_epoch_end = should_save_on_train_epoch_end
