"""A model that was prepared for evaluation counts as not prepared: cures accelerate 1.14 and 1.15.

Before the Trainer is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from accelerate import Accelerator

    original = Accelerator.prepare_model
    if getattr(original, "backported", False):
        return

    def prepare_model(self, model, *arguments, evaluation_mode=False, **options):
        was_prepared = getattr(model, "_is_accelerate_prepared", False)
        prepared = original(self, model, *arguments, evaluation_mode=evaluation_mode, **options)
        if evaluation_mode and not was_prepared:
            prepared._is_accelerate_prepared = False
        return prepared

    prepare_model.backported = True
    Accelerator.prepare_model = prepare_model
