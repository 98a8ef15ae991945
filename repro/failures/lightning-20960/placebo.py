"""Adds the method that the cure adds, as the base class has it: it does nothing.

For lightning before 2.5.3.  Before the Trainer is made: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from lightning.pytorch.callbacks import Callback, ModelCheckpoint

    if "on_train_end" in vars(ModelCheckpoint):
        return

    def on_train_end(self, trainer, pl_module):
        Callback.on_train_end(self, trainer, pl_module)

    ModelCheckpoint.on_train_end = on_train_end
