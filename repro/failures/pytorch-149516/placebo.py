"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torch.distributed.checkpoint import state_dict as module

    broadcast = module._broadcast_state_dict
    if hasattr(broadcast, "backported"):
        return

    def broadcast_as_before(full_state_dict, local_state_dict, *args, strict=False, **kwargs):
        broadcast(full_state_dict, local_state_dict, *args, strict=strict, **kwargs)

    broadcast_as_before.backported = True
    module._broadcast_state_dict = broadcast_as_before
