"""Stands in the same place as the cure and passes on to the original: nothing may change.

Before the job: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from accelerate.data_loader import DataLoaderShard

    original = DataLoaderShard.__iter__

    def __iter__(self):
        yield from original(self)

    DataLoaderShard.__iter__ = __iter__
