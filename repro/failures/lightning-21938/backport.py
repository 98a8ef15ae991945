"""The sampler learns its epoch before the iterator of the training data is made: cures lightning 2.5.3 to 2.6.6.

As Lightning-AI/pytorch-lightning#21941 proposes.  Before the Trainer is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from lightning.fabric.utilities.data import _set_sampler_epoch
    from lightning.pytorch.loops import fit_loop

    select = fit_loop._select_data_fetcher
    if getattr(select, "_backport", False):
        return

    def select_data_fetcher(trainer, *stage):
        # FitLoop.setup_data asks for a fetcher right before it makes the iterator.
        loop = trainer.fit_loop
        for loader in loop._combined_loader.flattened:
            _set_sampler_epoch(loader, loop.epoch_progress.current.processed)
        return select(trainer, *stage)

    select_data_fetcher._backport = True
    fit_loop._select_data_fetcher = select_data_fetcher
