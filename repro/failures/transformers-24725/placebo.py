"""Wraps the functions that the cure wraps, and passes on what they return: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    loss_of, step_of = Trainer.compute_loss, Trainer.training_step

    def compute_loss(self, model, inputs, *arguments, **options):
        return loss_of(self, model, inputs, *arguments, **options)

    def training_step(self, model, inputs, *arguments, **options):
        return step_of(self, model, inputs, *arguments, **options)

    Trainer.compute_loss, Trainer.training_step = compute_loss, training_step
