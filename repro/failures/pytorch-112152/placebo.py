"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torch.nn.parallel import DistributedDataParallel

    original = DistributedDataParallel.__init__

    def init(self, *arguments, **options):
        original(self, *arguments, **options)

    DistributedDataParallel.__init__ = init
