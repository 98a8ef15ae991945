"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    import contextlib

    from torch.nn.parallel import DistributedDataParallel

    no_sync, forward = DistributedDataParallel.no_sync, DistributedDataParallel.forward

    @contextlib.contextmanager
    def no_sync_as_before(self):
        with no_sync(self):
            yield

    def forward_as_before(self, *arguments, **options):
        return forward(self, *arguments, **options)

    DistributedDataParallel.no_sync = no_sync_as_before
    DistributedDataParallel.forward = forward_as_before
