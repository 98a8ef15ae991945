"""Wraps the function that the cure wraps, and passes on what it returns: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    name = "_get_num_items_in_batch" if hasattr(Trainer, "_get_num_items_in_batch") else "get_batch_samples"
    original = getattr(Trainer, name)

    def recount(self, *arguments, **options):
        return original(self, *arguments, **options)

    setattr(Trainer, name, recount)
