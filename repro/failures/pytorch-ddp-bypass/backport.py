"""A call of the wrapped module goes through its wrapper: cures torch 2.2 to 2.15.

``forward`` of the wrapped module calls the wrapper, unless the wrapper called it.  Other methods stay as they are.
Before the model is wrapped: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.nn.parallel import DistributedDataParallel

    init, wrapped_forward = DistributedDataParallel.__init__, DistributedDataParallel.forward
    if getattr(init, "backported", False):
        return

    def forward(self, *inputs, **options):
        self.entered = True
        try:
            return wrapped_forward(self, *inputs, **options)
        finally:
            self.entered = False

    def __init__(self, module, *arguments, **options):
        init(self, module, *arguments, **options)
        own, wrapper = module.forward, [self]  # a list, so that the module does not register its wrapper
        self.entered = False

        def module_forward(*inputs, **named):
            return (own if wrapper[0].entered else wrapper[0])(*inputs, **named)

        module.forward = module_forward

    __init__.backported = True
    DistributedDataParallel.__init__, DistributedDataParallel.forward = __init__, forward
