"""The state of a fresh Adam or AdamW begins at zero again: cures torch 2.2 to 2.15.

``_init_optim_state`` creates the state by a real ``step()`` with zero gradients, which counts.  Here the
counters and moments that it left are reset, as torchtitan does in its own copy (pytorch/torchtitan#4382).
(With weight decay, torch 2.2 and 2.3 need the backport of pytorch-121186 too.)
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import functools

    import torch
    from torch.distributed.checkpoint import state_dict as module

    initialize = module._init_optim_state
    if hasattr(initialize, "resets"):
        return

    @functools.wraps(initialize)
    def initialize_and_reset(optim, *args, **kwargs):
        fresh = not optim.state
        initialize(optim, *args, **kwargs)
        if fresh and isinstance(optim, (torch.optim.Adam, torch.optim.AdamW)):
            for state in optim.state.values():
                for value in state.values():
                    value.zero_()

    initialize_and_reset.resets = True
    module._init_optim_state = initialize_and_reset
