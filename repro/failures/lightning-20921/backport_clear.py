"""Leaving torch.no_grad() empties autocast's cache: the casts made under it are not used where gradients are needed.

For any lightning on a torch before 2.11.  Before the job: ``import backport_clear as b; b.apply()``.

The cache stays on, so that a weight is still cast once a step where there is no ``no_grad``; much as lightning does
since Lightning-AI/pytorch-lightning#21616.
"""


def apply() -> None:
    import torch

    leave = torch.no_grad.__exit__
    if getattr(leave, "_backport", False):
        return

    def __exit__(self, *exception):
        leave(self, *exception)
        if torch.is_grad_enabled():
            torch.clear_autocast_cache()

    __exit__._backport = True
    torch.no_grad.__exit__ = __exit__
