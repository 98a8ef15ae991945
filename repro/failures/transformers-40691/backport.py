"""The loader that skips batches is in the epoch of the loader that it replaces: cures accelerate before 1.15.

As huggingface/accelerate#4071 does.  Before the Trainer is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers import trainer as module

    original = module.skip_first_batches
    if getattr(original, "backported", False):
        return

    def skip_first_batches(dataloader, *arguments, **options):
        skipped = original(dataloader, *arguments, **options)
        if hasattr(dataloader, "iteration") and hasattr(skipped, "iteration"):
            skipped.iteration = dataloader.iteration
        return skipped

    skip_first_batches.backported = True
    module.skip_first_batches = skip_first_batches
