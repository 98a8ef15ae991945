"""Tokens are counted over all ranks by default, as since transformers 4.54: cures 4.46 to 4.53.

Before the arguments are made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers import TrainingArguments

    original = TrainingArguments.__init__
    if getattr(original, "backported", False):
        return

    def init(self, *arguments, **options):
        options.setdefault("average_tokens_across_devices", True)
        original(self, *arguments, **options)

    init.backported = True
    TrainingArguments.__init__ = init
