"""The Trainer counts the tokens that are predicted: cures transformers 4.46 to 5.23.

The first label of each sequence is taken from the count where the loss shifts the labels and the Trainer does not.
Before the Trainer is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers import Trainer
    from transformers.loss.loss_utils import ForCausalLMLoss

    counts = hasattr(Trainer, "_get_num_items_in_batch")
    name = "_get_num_items_in_batch" if counts else "get_batch_samples"
    original = getattr(Trainer, name)
    if getattr(original, "backported", False):
        return

    def firsts(trainer, batches):
        first = sum(batch["labels"][..., 0].ne(-100).sum() for batch in batches).to(trainer.args.device)
        if trainer.args.average_tokens_across_devices and trainer.args.world_size > 1:
            first = trainer.accelerator.gather(first).sum()
        return first

    def recount(self, *arguments, **options):
        answer = original(self, *arguments, **options)
        batches, items = (arguments[0] if arguments else options["batch_samples"], answer) if counts else answer
        model = self.accelerator.unwrap_model(self.model)
        shifts = getattr(model, "loss_function", None) is ForCausalLMLoss
        if items is None or not shifts or getattr(self, "_loss_shifts_labels", False):
            return answer
        items = items - firsts(self, batches)
        return items if counts else (batches, items)

    recount.backported = True
    setattr(Trainer, name, recount)
