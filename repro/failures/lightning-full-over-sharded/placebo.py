"""Stands in the same place as the cure and passes on to the original: nothing may change.

Before the job: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from lightning.pytorch.strategies import FSDPStrategy

    original = FSDPStrategy.save_checkpoint

    def save_checkpoint(self, checkpoint, filepath, *others, **named):
        return original(self, checkpoint, filepath, *others, **named)

    FSDPStrategy.save_checkpoint = save_checkpoint
