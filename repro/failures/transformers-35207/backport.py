"""Divides the loss of models that do not divide it themselves: cures transformers 4.46 and 4.47.

The loss of a training step is divided by the number of accumulation steps, as in transformers 4.48, where neither the
model nor a loss function is told the number of items.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.compute_loss
    if getattr(original, "backported", False):
        return

    def compute_loss(self, model, inputs, *arguments, **options):
        answer = original(self, model, inputs, *arguments, **options)
        if not model.training or self.model_accepts_loss_kwargs or self.compute_loss_func is not None:
            return answer
        steps = self.args.gradient_accumulation_steps
        return (answer[0] / steps, answer[1]) if isinstance(answer, tuple) else answer / steps

    compute_loss.backported = True
    Trainer.compute_loss = compute_loss
