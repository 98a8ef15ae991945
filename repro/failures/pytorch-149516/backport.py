"""Every rank learns which keys rank 0 has: cures torch 2.4 to 2.15.

``_broadcast_state_dict`` passes over keys that the model does not know, so only rank 0, whose dictionary has
them anyway, sees them in ``load_state_dict``.  Here they are noted on every rank if the load is strict.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch.distributed as dist
    from torch.distributed.checkpoint import state_dict as module

    broadcast = module._broadcast_state_dict
    if hasattr(broadcast, "backported"):
        return

    def broadcast_with_unexpected_keys(full_state_dict, local_state_dict, *args, strict=False, **kwargs):
        names = [list(full_state_dict)]
        dist.broadcast_object_list(names, src=0)
        unexpected = [name for name in names[0] if name not in local_state_dict]
        broadcast(full_state_dict, local_state_dict, *args, strict=strict, **kwargs)
        if strict:
            local_state_dict.update(dict.fromkeys(unexpected))

    broadcast_with_unexpected_keys.backported = True
    module._broadcast_state_dict = broadcast_with_unexpected_keys
