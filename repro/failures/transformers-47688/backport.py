"""Lets the Trainer divide the loss of models that ignore ``num_items_in_batch``: cures transformers 5.0 to 5.24.

A model counts as one that divides its loss itself if its ``forward`` takes ``**kwargs``.  Here it counts only if it
also hands them on to its loss function.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import inspect
    import re

    from transformers import Trainer

    original = Trainer.__init__
    if hasattr(original, "backported"):
        return

    def init(self, *arguments, **options):
        original(self, *arguments, **options)
        model = self.accelerator.unwrap_model(self.model)
        source = inspect.getsource(inspect.unwrap(type(model).forward))
        calls = re.findall(r"self\.loss_function\((.*?)\)\n", source, re.DOTALL)
        if not hasattr(model, "accepts_loss_kwargs") and not any("**" in call for call in calls):
            self.model_accepts_loss_kwargs = False

    init.backported = True
    Trainer.__init__ = init
