"""Workers of a DataLoader start by spawn unless the script says otherwise: cures torch 2.15 on Python 3.12.

Datasets and functions given to the loader must then be picklable.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.utils.data import DataLoader

    begin = DataLoader.__init__
    if hasattr(begin, "backported"):
        return

    def begin_with_spawn(self, *arguments, **options):
        if options.get("num_workers", 0) > 0 and options.get("multiprocessing_context") is None:
            options["multiprocessing_context"] = "spawn"
        begin(self, *arguments, **options)

    begin_with_spawn.backported = True
    DataLoader.__init__ = begin_with_spawn
