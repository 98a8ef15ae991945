"""Wraps what the cure wraps, and calls the originals: nothing may change."""


def apply() -> None:
    from torch.nn.parallel import DistributedDataParallel

    init, wrapped_forward = DistributedDataParallel.__init__, DistributedDataParallel.forward

    def forward(self, *inputs, **options):
        return wrapped_forward(self, *inputs, **options)

    def __init__(self, module, *arguments, **options):
        init(self, module, *arguments, **options)
        own = module.forward

        def module_forward(*inputs, **named):
            return own(*inputs, **named)

        module.forward = module_forward

    DistributedDataParallel.__init__, DistributedDataParallel.forward = __init__, forward
