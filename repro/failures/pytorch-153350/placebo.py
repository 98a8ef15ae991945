"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torch.distributed.checkpoint import state_dict as module

    distribute = module._distribute_state_dict
    if hasattr(distribute, "backported"):
        return

    def distribute_as_before(full_state_dict, local_state_dict, *args, **kwargs):
        distribute(full_state_dict, local_state_dict, *args, **kwargs)

    distribute_as_before.backported = True
    module._distribute_state_dict = distribute_as_before
