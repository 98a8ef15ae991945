"""Keeps every destroyed process group until the program ends: the reducer of DDP is never the last to let go of one.

Python then holds the last reference, and its binding of a process group releases the interpreter lock before the
destructor.  It costs threads and sockets until then.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import atexit

    import torch.distributed as dist
    from torch.distributed import distributed_c10d

    destroy = distributed_c10d.destroy_process_group
    if getattr(destroy, "keeps_groups", False):
        return
    kept = []
    atexit.register(kept.clear)

    def destroy_and_keep(group=None):
        kept.append(group or distributed_c10d._get_default_group())
        destroy(group)

    destroy_and_keep.keeps_groups = True
    dist.destroy_process_group = distributed_c10d.destroy_process_group = destroy_and_keep
