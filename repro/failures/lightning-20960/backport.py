"""ModelCheckpoint(save_last=True) writes last.ckpt when training ends, if nothing was saved before.

For lightning before 2.5.3.  Before the Trainer is made: ``import backport; backport.apply()``.

``ModelCheckpoint`` has no ``on_train_end`` there.  This is the one of lightning 2.5.3
(Lightning-AI/pytorch-lightning#20960).
"""


def apply() -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    if "on_train_end" in vars(ModelCheckpoint):
        return

    def on_train_end(self, trainer, pl_module):
        if self.save_last and not self._last_checkpoint_saved:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    ModelCheckpoint.on_train_end = on_train_end
