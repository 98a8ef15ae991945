"""Wraps the function that the cure wraps, and leaves the option as it is: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.compute_loss

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        option = self.args.average_tokens_across_devices
        self.args.average_tokens_across_devices = option
        try:
            return original(self, model, inputs, return_outputs, num_items_in_batch)
        finally:
            self.args.average_tokens_across_devices = option

    Trainer.compute_loss = compute_loss
