"""The number of samples is averaged over the ranks as a floating number: cures lightning 2.1 to 2.6.6.

As Lightning-AI/pytorch-lightning#21839 proposes.  Before the Trainer is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultMetric

    original = _ResultMetric.compute
    if getattr(original, "backported", False):
        return

    def compute(self):
        if not (self.is_tensor and self.meta.is_mean_reduction):
            return original(self)
        value = self.meta.sync(self.value.clone())
        return value / self.meta.sync(self.cumulated_batch_size.to(value.dtype))

    compute.backported = True
    _ResultMetric.compute = compute
