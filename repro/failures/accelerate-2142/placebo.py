"""Wraps the method that the cure wraps, and leaves the flag as it is: nothing may change."""


def apply() -> None:
    from accelerate.scheduler import AcceleratedScheduler

    original = AcceleratedScheduler.step

    def step(self, *arguments, **options):
        split, self.split_batches = self.split_batches, self.split_batches
        try:
            return original(self, *arguments, **options)
        finally:
            self.split_batches = split

    AcceleratedScheduler.step = step
