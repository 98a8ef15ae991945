"""The second scheduler begins without the warning: cures torch 2.2 to 2.8.

Before the job: ``import backport; backport.apply()``.
"""

import warnings


def apply() -> None:
    from torch.optim.lr_scheduler import SequentialLR

    step = SequentialLR.step
    if hasattr(step, "backported"):
        return

    def step_in_silence(self):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The epoch parameter in `scheduler.step\\(\\)`")
            step(self)

    step_in_silence.backported = True
    SequentialLR.step = step_in_silence
