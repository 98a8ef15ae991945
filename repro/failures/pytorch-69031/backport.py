"""DDP averages in every micro-batch where it looks for unused parameters: cures torch 2.2.

``no_sync`` has no effect there.  Each backward then knows which parameters its own forward used; gradients that were
averaged before are averaged again, which leaves them as they are.  It costs the communication that ``no_sync`` saves.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import contextlib

    from torch.nn.parallel import DistributedDataParallel

    original = DistributedDataParallel.no_sync
    if getattr(original, "only_without_search", False):
        return

    def no_sync(self):
        return contextlib.nullcontext() if self.find_unused_parameters else original(self)

    no_sync.only_without_search = True
    DistributedDataParallel.no_sync = no_sync
