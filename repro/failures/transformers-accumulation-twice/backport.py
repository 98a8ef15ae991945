"""Tells accelerate of one accumulation step, since the Trainer divides itself: cures transformers 5.2 to 5.5.3.

So do transformers 5.5.4 and later.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.create_accelerator_and_postprocess
    if getattr(original, "backported", False):
        return

    def create_accelerator_and_postprocess(self, *arguments, **options):
        answer = original(self, *arguments, **options)
        self.accelerator.gradient_accumulation_steps = 1
        return answer

    create_accelerator_and_postprocess.backported = True
    Trainer.create_accelerator_and_postprocess = create_accelerator_and_postprocess
