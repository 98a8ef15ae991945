"""The state of a fresh optimizer is created without touching the parameters: cures torch 2.2 and 2.3.

``_init_optim_state`` creates it by a real ``step()`` with zero gradients, and a step of AdamW decays the
weights all the same.  Here the learning rate is zero for that step, as in pytorch/pytorch#125708.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import functools

    from torch.distributed.checkpoint import state_dict as module

    initialize = module._init_optim_state
    if hasattr(initialize, "at_rest"):
        return

    @functools.wraps(initialize)
    def initialize_at_rest(optim, *args, **kwargs):
        rates = [group.get("lr") for group in optim.param_groups]
        for group in optim.param_groups:
            group["lr"] = 0.0
        try:
            initialize(optim, *args, **kwargs)
        finally:
            for group, rate in zip(optim.param_groups, rates, strict=True):
                group["lr"] = rate

    initialize_at_rest.at_rest = True
    module._init_optim_state = initialize_at_rest
