"""Wraps the constructor that the cure wraps, with the same arguments: nothing may change."""


def apply() -> None:
    from transformers import TrainingArguments

    original = TrainingArguments.__init__

    def init(self, *arguments, **options):
        original(self, *arguments, **options)

    TrainingArguments.__init__ = init
