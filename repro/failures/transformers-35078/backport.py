"""No loss is multiplied by the ranks where no items were counted: cures the evaluation of transformers 4.46.2 to 4.48.

Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.compute_loss
    if getattr(original, "backported", False):
        return

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        option = self.args.average_tokens_across_devices
        self.args.average_tokens_across_devices = option and num_items_in_batch is not None
        try:
            return original(self, model, inputs, return_outputs, num_items_in_batch)
        finally:
            self.args.average_tokens_across_devices = option

    compute_loss.backported = True
    Trainer.compute_loss = compute_loss
