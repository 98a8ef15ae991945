"""Wraps the function that the cure wraps, and passes on what it returns: nothing may change."""


def apply() -> None:
    from transformers import trainer as module

    original = module.skip_first_batches

    def skip_first_batches(dataloader, *arguments, **options):
        return original(dataloader, *arguments, **options)

    module.skip_first_batches = skip_first_batches
