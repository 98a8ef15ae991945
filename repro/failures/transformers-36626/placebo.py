"""Replaces what the backports replace by an equivalent of the original: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    save_model, create = Trainer.save_model, Trainer.create_accelerator_and_postprocess
    if hasattr(save_model, "backported"):
        return

    def save_model_as_before(self, output_dir=None, _internal_call=False):
        save_model(self, output_dir, _internal_call)

    def create_as_before(self):
        create(self)

    save_model_as_before.backported = True
    Trainer.save_model = save_model_as_before
    Trainer.create_accelerator_and_postprocess = create_as_before
