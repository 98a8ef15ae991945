"""Wraps the function that the cure wraps and changes nothing.

For the same releases.  Before the Trainer is made: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    batch_end = ModelCheckpoint.on_train_batch_end
    if getattr(batch_end, "_backport", False):
        return

    def on_train_batch_end(self, trainer, pl_module, *batch):
        batch_end(self, trainer, pl_module, *batch)

    on_train_batch_end._backport = True
    ModelCheckpoint.on_train_batch_end = on_train_batch_end
