"""DDP always looks for unused parameters: cures torch 2.2 to 2.15.

A parameter outside the graph of the forward is then marked ready, so its bucket becomes complete.  The search costs a
walk over the graph in each iteration.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.nn.parallel import DistributedDataParallel

    original = DistributedDataParallel.__init__
    if getattr(original, "looks_for_unused", False):
        return

    def init(self, *arguments, **options):
        if not options.get("static_graph"):
            options["find_unused_parameters"] = True
        original(self, *arguments, **options)

    init.looks_for_unused = True
    DistributedDataParallel.__init__ = init
