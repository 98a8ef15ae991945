"""A key that the full state dict lacks is reported as missing: cures torch 2.5 to 2.15.

``_distribute_state_dict`` leaves what it did not find in the full state dict as it is, and its caller then
passes the model's own tensors for loaded ones.  Here they are left out, as ``_broadcast_state_dict`` does
for ``strict=True``, so that ``load_state_dict`` sees what is missing.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.distributed.checkpoint import state_dict as module

    distribute = module._distribute_state_dict
    if hasattr(distribute, "backported"):
        return

    def distribute_and_leave_out(full_state_dict, local_state_dict, *args, **kwargs):
        missing = local_state_dict.keys() - full_state_dict.keys()
        distribute(full_state_dict, local_state_dict, *args, **kwargs)
        for key in missing:
            local_state_dict.pop(key)

    distribute_and_leave_out.backported = True
    module._distribute_state_dict = distribute_and_leave_out
