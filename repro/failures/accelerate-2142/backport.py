"""A prepared scheduler steps once per update, whatever the number of ranks: cures accelerate 0.30 to 1.15.

The step is that of ``split_batches``.  For schedules that are written in updates; one whose length is multiplied by the
number of ranks would become too slow.  Before the Accelerator is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from accelerate.scheduler import AcceleratedScheduler

    original = AcceleratedScheduler.step
    if getattr(original, "backported", False):
        return

    def step(self, *arguments, **options):
        split, self.split_batches = self.split_batches, True
        try:
            return original(self, *arguments, **options)
        finally:
            self.split_batches = split

    step.backported = True
    AcceleratedScheduler.step = step
