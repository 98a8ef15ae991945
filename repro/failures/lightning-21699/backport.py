"""ModelCheckpoint(train_time_interval=...) saves under manual optimization too.

For lightning 2.6.0 to 2.6.6.  Before the Trainer is made: ``import backport; backport.apply()``.

``ModelCheckpoint.on_train_batch_end`` returns early under manual optimization unless ``every_n_train_steps`` is due.
Here it also asks for the time, as it does under automatic optimization; as Lightning-AI/pytorch-lightning#21699
proposes.
"""


def apply() -> None:
    import time

    from lightning.pytorch.callbacks import ModelCheckpoint

    batch_end = ModelCheckpoint.on_train_batch_end
    if getattr(batch_end, "_backport", False):
        return

    def on_train_batch_end(self, trainer, pl_module, *batch):
        batch_end(self, trainer, pl_module, *batch)
        if pl_module.automatic_optimization or self._train_time_interval is None:
            return
        now, before = time.monotonic(), self._last_time_checked
        early = before is None or now - before < self._train_time_interval.total_seconds()
        if trainer.strategy.broadcast(early):
            return
        self._last_time_checked = now
        if self._should_skip_saving_checkpoint(trainer):
            return
        candidates = self._monitor_candidates(trainer)
        if self.monitor is not None and self.monitor not in candidates:
            self._defer_save_until_validation = True
            return
        self._save_topk_checkpoint(trainer, candidates)
        self._save_last_checkpoint(trainer, candidates)

    on_train_batch_end._backport = True
    ModelCheckpoint.on_train_batch_end = on_train_batch_end
