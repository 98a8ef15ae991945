"""Wraps the function that the cure wraps, and passes on what it returns: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.compute_loss

    def compute_loss(self, model, inputs, *arguments, **options):
        return original(self, model, inputs, *arguments, **options)

    Trainer.compute_loss = compute_loss
