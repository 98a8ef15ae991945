"""Wraps the function that the cure wraps, and passes on what it returns: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.create_accelerator_and_postprocess

    def create_accelerator_and_postprocess(self, *arguments, **options):
        return original(self, *arguments, **options)

    Trainer.create_accelerator_and_postprocess = create_accelerator_and_postprocess
