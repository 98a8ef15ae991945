"""An iteration over a prepared loader that is left early ends for GradientState as well: cures accelerate 0.30 to 1.3.

Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from accelerate.data_loader import DataLoaderShard

    original = DataLoaderShard.__iter__
    if getattr(original, "always_ends", False):
        return

    def __iter__(self):
        try:
            yield from original(self)
        finally:
            if any(held is self for held in self.gradient_state.dataloader_references):
                self.end()

    __iter__.always_ends = True
    DataLoaderShard.__iter__ = __iter__
