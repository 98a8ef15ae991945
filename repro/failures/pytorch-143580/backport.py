"""The first window of a static graph is reduced in each micro-batch: cures torch 2.2 to 2.15.

``no_sync`` has no effect until one backward was reduced; gradients are averaged and added as without it.  From the
second update on it saves communication as before.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import contextlib

    from torch.nn.parallel import DistributedDataParallel

    no_sync, forward = DistributedDataParallel.no_sync, DistributedDataParallel.forward
    if getattr(no_sync, "waits_for_first", False):
        return

    @contextlib.contextmanager
    def no_sync_later(self):
        if self.static_graph and not getattr(self, "first_window_passed", False):
            self.first_window_open = True
            yield
            return
        with no_sync(self):
            yield

    def forward_counted(self, *arguments, **options):
        # The forward outside of no_sync is the last one of the first window.
        inside, self.first_window_open = getattr(self, "first_window_open", False), False
        self.first_window_passed = getattr(self, "first_window_passed", False) or not inside
        return forward(self, *arguments, **options)

    no_sync_later.waits_for_first = True
    DistributedDataParallel.no_sync = no_sync_later
    DistributedDataParallel.forward = forward_counted
