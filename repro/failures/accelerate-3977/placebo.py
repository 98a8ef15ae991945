"""Wraps the method that the cure wraps, looks at the same mark and leaves it."""


def apply() -> None:
    from accelerate import Accelerator

    original = Accelerator.prepare_model

    def prepare_model(self, model, *arguments, evaluation_mode=False, **options):
        getattr(model, "_is_accelerate_prepared", False)
        return original(self, model, *arguments, evaluation_mode=evaluation_mode, **options)

    Accelerator.prepare_model = prepare_model
